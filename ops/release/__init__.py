"""The `release` command: sets image tags, applies them, and shows the log of a failed migration."""
