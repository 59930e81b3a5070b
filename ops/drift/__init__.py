"""The `drift` command: compares production with what the program declares."""
