"""The command line of a rehearsal."""
