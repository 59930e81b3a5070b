"""The commands that operate a stack: adoption, guard rails, release, drift and CI."""
