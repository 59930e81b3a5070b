"""Starts, finds and ends the processes of a world."""
