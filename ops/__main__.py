"""`python -m ops`: the commands around the engine."""

import click

from ops.adopt import adopt
from ops.drift import drift
from ops.guarded import preview, up


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Acts on the stack that the environment's pulumi knows: production, or a rehearsal's world (`python -m rehearsal env`)."""


cli.add_command(adopt)
cli.add_command(drift)
cli.add_command(preview)
cli.add_command(up)

if __name__ == "__main__":
    cli(prog_name="python -m ops")
