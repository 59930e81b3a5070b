"""Gives an app a new volume when the disk with its data is lost."""
