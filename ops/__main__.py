"""`python -m ops`: the commands around the engine."""

import os
from importlib import import_module
from tempfile import TemporaryDirectory

import click

MODULES = {
    "adopt": "ops.adoption.command",
    "comment": "ops.ci.comment",
    "drift": "ops.drift.command",
    "issue": "ops.ci.issue",
    "preview": "ops.guardrails.commands",
    "release": "ops.release.command",
    "up": "ops.guardrails.commands",
}
"""Where each command is defined."""


class Commands(click.Group):
    """Imports the one command that was typed: the clients of the clouds, which some of them need, take a second to import."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # the signature is click's
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in MODULES:
            return None
        command: click.Command = getattr(import_module(MODULES[cmd_name]), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Acts on the stack that the environment's pulumi knows: production, or a rehearsal's world (`python -m rehearsal env`)."""


if __name__ == "__main__":
    # At every run the Kubernetes provider leaves a copy of the kubeconfig, the administrator's, among the temporary files.
    with TemporaryDirectory(prefix="honeydue-") as os.environ["TMPDIR"]:
        cli(prog_name="python -m ops")
