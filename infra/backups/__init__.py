"""The dumps of the database, and the drill that restores them (docs/backups.md)."""

from infra.backups.stack import declare_backups

__all__ = ["declare_backups"]
