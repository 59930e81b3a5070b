"""The `rollback` command: the previous complete release, by digest."""
