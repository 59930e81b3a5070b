"""The command line that replaces the k3s binary on a simulated machine."""

import sys

import click

from rehearsal.errors import RehearsalError
from rehearsal.machines.config import Config
from rehearsal.machines.etcd import EtcdError
from rehearsal.machines.k3s_server import K3sServer
from rehearsal.machines.machine import Machine


class Cli(click.Group):
    """Prints errors in one line, as k3s does."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (RehearsalError, EtcdError, OSError) as error:
            print(f"k3s: {error}", flush=True)
            sys.exit(1)


def k3s_server(**options: object) -> K3sServer:
    """The server of this machine. Options of the command line override its configuration files."""
    machine = Machine.current()
    overrides = {name.replace("_", "-"): value for name, value in options.items() if value is not None}
    return K3sServer(machine, Config({**Config.read(machine.root).values, **overrides}))


@click.group(cls=Cli)
def cli() -> None:
    """The k3s commands that a rehearsal supports."""


@cli.command()
@click.option("--cluster-reset", is_flag=True)
@click.option("--cluster-reset-restore-path")
@click.option("--token")
@click.option("--etcd-s3/--no-etcd-s3", default=None)
@click.option("--etcd-s3-endpoint")
@click.option("--etcd-s3-region")
@click.option("--etcd-s3-bucket")
@click.option("--etcd-s3-folder")
@click.option("--etcd-s3-access-key", envvar="AWS_ACCESS_KEY_ID")
@click.option("--etcd-s3-secret-key", envvar="AWS_SECRET_ACCESS_KEY")
def server(*, cluster_reset: bool, cluster_reset_restore_path: str | None, **options: object) -> None:
    """Runs the control plane of this machine, or resets its etcd cluster."""
    k3s = k3s_server(**options)
    if not cluster_reset:
        k3s.run()
        return
    k3s.reset(cluster_reset_restore_path)
    print(
        "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. "
        "Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes"
    )


@cli.group()
def etcd_snapshot() -> None:
    """Manages etcd snapshots."""


@etcd_snapshot.command()
@click.option("--name", default="on-demand")
def save(name: str) -> None:
    """Saves a snapshot now."""
    print(f"Snapshot {k3s_server().save_snapshot(name)} saved.")


@etcd_snapshot.command()
def ls() -> None:
    """Lists the snapshots."""
    print("\n".join(k3s_server().snapshot_locations()))


if __name__ == "__main__":
    cli()
