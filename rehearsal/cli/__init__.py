"""The command line `python -m rehearsal`."""
