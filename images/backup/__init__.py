"""The program in the image honeydue-backup: dumps of the database, and the drill that restores them (docs/backups.md).

It uses the standard library only. Imports are relative, because the image contains this package without its parent.
"""
