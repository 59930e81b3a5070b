"""The `pulumi` command, Pulumi itself without its temporary files, and the `outputs` command."""

import os
import sys
from collections.abc import Sequence

import click

from ops.engine.cli import output_of, run_in_foreground


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pulumi(arguments: Sequence[str]) -> None:
    """Run a command of Pulumi, and remove the files that it leaves behind.

    The Kubernetes provider writes the kubeconfig to the temporary folder in every preview and update, and does not
    delete it. This command gives it a folder that is removed at the end.
    """
    try:
        sys.exit(run_in_foreground(["pulumi", *arguments], env=os.environ))
    except FileNotFoundError:
        raise click.ClickException(
            "The pulumi command is not on PATH. Run it with `.venv/bin/python -m tools.run`"
        ) from None


@click.command()
@click.option("--stack", required=True, help="Name of the Pulumi stack, for example prod.")
def outputs(stack: str) -> None:
    """Show the stack's outputs, and what old images, dumps and snapshots occupy. Secret outputs are masked."""
    click.echo(output_of("stack output", stack), nl=False)
    # Imported here, because the client of Hetzner is slow to import, and `pulumi` in this module does not need it.
    from ops.stored.lines import stored_lines  # noqa: PLC0415

    click.echo("\nStored outside of the cluster:")
    for line in stored_lines(stack):
        click.echo(f"    {line}")
