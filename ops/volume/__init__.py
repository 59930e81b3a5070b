"""Gives an app a new, empty volume when the disk with its data is lost."""
