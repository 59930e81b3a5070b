"""`python -m ops`: the commands that operate a stack."""

import os
from importlib import import_module
from tempfile import TemporaryDirectory

import click

from ops.errors import OpsError

MODULES = {
    "adopt": "ops.adoption.command",
    "comment": "ops.ci.comment",
    "dashboards": "ops.dashboards.command",
    "drift": "ops.drift.command",
    "issue": "ops.ci.issue",
    "mirror": "ops.mirror.command",
    "new-volume": "ops.volume.command",
    "outputs": "ops.engine.command",
    "preview": "ops.guardrails.commands",
    "pulumi": "ops.engine.command",
    "release": "ops.release.command",
    "releases": "ops.release.listing",
    "require-client-certificate": "ops.client_certificate.command",
    "restore-database": "ops.backups.database",
    "restore-drill": "ops.backups.drill",
    "rollback": "ops.rollback.command",
    "save-queue": "ops.queue.command",
    "status": "ops.status.command",
    "up": "ops.guardrails.commands",
}
"""The module of each command."""


class Commands(click.Group):
    """Imports only the module of the requested command, because the clouds' clients take a second to import."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. An OpsError becomes one line and exit code 1, unless the command handles it."""
        try:
            return super().invoke(ctx)
        except OpsError as error:
            raise click.ClickException(str(error)) from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click defines the signature
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in MODULES:
            return None
        command: click.Command = getattr(import_module(MODULES[cmd_name]), cmd_name.replace("-", "_"))
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Operate a stack: adopt existing resources, preview, apply and release changes, and check for drift.

    The commands use the Pulumi backend of the environment: production's, or that of a rehearsal's world
    (`python -m rehearsal env`).
    """


if __name__ == "__main__":
    # The Kubernetes provider leaves a copy of the kubeconfig, with an administrator's key, in the temporary folder.
    with TemporaryDirectory(prefix="honeydue-") as os.environ["TMPDIR"]:
        cli(prog_name="python -m ops")
