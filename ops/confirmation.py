"""Asks the operator for a confirmation."""

import sys

import click


def confirm(question: str) -> None:
    """Ask, and end the command without an error if the operator declines: make would print one as a failure."""
    if not click.confirm(question):
        click.echo("Declined. Nothing was applied.")
        sys.exit(0)
