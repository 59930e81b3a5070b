"""The processes of a world."""
