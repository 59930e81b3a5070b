"""`python -m ops`: the commands around the engine."""

import os
from tempfile import TemporaryDirectory

import click

from ops.adopt import adopt
from ops.comment import comment
from ops.drift import drift
from ops.guarded import preview, up
from ops.issue import issue
from ops.release import release


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Acts on the stack that the environment's pulumi knows: production, or a rehearsal's world (`python -m rehearsal env`)."""


cli.add_command(adopt)
cli.add_command(comment)
cli.add_command(drift)
cli.add_command(issue)
cli.add_command(preview)
cli.add_command(up)
cli.add_command(release)

if __name__ == "__main__":
    # At every run the Kubernetes provider leaves a copy of the kubeconfig, the administrator's, among the temporary files.
    with TemporaryDirectory(prefix="honeydue-") as os.environ["TMPDIR"]:
        cli(prog_name="python -m ops")
