"""The commands that CI runs: the comment on a pull request, and the issue about drift or newer versions."""
