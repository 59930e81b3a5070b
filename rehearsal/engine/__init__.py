"""The Pulumi engine of a world: its environment, its programs, its stack and its commands."""
