"""Commands that run in CI: the comment on a pull request and the issue about drift."""
