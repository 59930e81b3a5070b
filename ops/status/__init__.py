"""The `status` command: what runs, and whether it is well, on one screen. It changes nothing."""
