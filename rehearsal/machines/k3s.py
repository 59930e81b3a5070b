"""Stands for the k3s binary of a machine: real etcd and Kubernetes programs, started and joined in k3s' way.

What it follows is k3s' own source (github.com/k3s-io/k3s: pkg/etcd, pkg/cluster, pkg/nodepassword); what it leaves out is in
docs/rehearsal.md.
"""

import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import click

from rehearsal.control_plane import control_plane
from rehearsal.control_plane.control_plane import ControlPlane
from rehearsal.control_plane.flags import ClusterNetwork, ControlPlaneConfig
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import Node
from rehearsal.errors import RehearsalError
from rehearsal.machines import bootstrap, registration, snapshots
from rehearsal.machines.config import Config
from rehearsal.machines.etcd import Etcd, EtcdError
from rehearsal.machines.machine import MARK, SUPERVISOR_PORT, Machine
from rehearsal.machines.supervisor import Supervisor, forward
from rehearsal.processes import processes

PORTS = {"etcd": 2379, "etcd-peer": 2380, "apiserver": 6443, "kubelets": 10250}
ADVERTISED = ip_network("192.0.2.0/24")
"""Addresses for documentation: Kubernetes takes none of loopback as an endpoint."""
WATCH_SECONDS = 0.5


class Server:
    """`k3s server` on one machine."""

    def __init__(self, machine: Machine, config: Config) -> None:
        self._machine = machine
        self._config = config
        self._folder = machine.root / "var/lib/rancher/k3s/server"
        self._kubeconfig = machine.kubeconfig

    @property
    def address(self) -> str:
        return self._config.text("node-ip")

    @property
    def data(self) -> Path:
        return self._folder / "db/etcd"

    @property
    def has_data(self) -> bool:
        return (self.data / "member/wal").is_dir()

    def run(self) -> None:
        """Runs until one of its programs ends; a RehearsalError says which."""
        self._reset_flag.unlink(missing_ok=True)
        # A killed predecessor leaves its programs behind, where k3s is one process with them.
        processes.kill(MARK, str(self._machine.folder))
        peer = self._join_authorities()
        place = self.place()
        control_plane.create_certificates(place)
        control_plane.write_kubeconfigs(place, self._kubeconfig)
        self._listen(place)
        plane = ControlPlane(place, logs=self._machine.logs, run=self._start)
        try:
            self._start_etcd(plane, place, peer)
            kubectl, founds = Kubectl(self._kubeconfig), self._config.is_set("cluster-init")
            plane.start_kubernetes(on_ready=kubectl.install_k3s_manifests if founds else lambda: None)
            registration.Cleaner(kubectl, Etcd(url=place.etcd_url, pki=place.pki)).start()
            # Beside the rest: a name that is another machine's is asked for again for ever, and the control plane goes on meanwhile.
            threading.Thread(
                target=self._register, args=[place, kubectl.install_traefik_crds if founds else None], daemon=True
            ).start()
            while (ended := plane.ended()) is None:
                time.sleep(WATCH_SECONDS)
            raise RehearsalError(f"{ended} ended")
        finally:
            plane.kill()

    def reset(self, snapshot: str | None) -> None:
        """Makes this member the only one of its cluster, with the data it has or that of a snapshot, and ends."""
        if self._config.is_set("server"):
            raise RehearsalError(
                "cannot perform cluster-reset while server URL is set - remove server from configuration before resetting"
            )
        if self._machine.running():
            raise RehearsalError("k3s runs on this machine: systemctl stop k3s")
        if self._reset_flag.exists():
            raise RehearsalError(
                "Managed etcd cluster membership was previously reset, remove the cluster-reset flag and start k3s normally"
            )
        place = self.place()
        control_plane.create_certificates(place)
        if snapshot is not None:
            snapshots.restore(self._snapshot(snapshot), place)
        plane = ControlPlane(place, logs=self._machine.logs, run=self._start)
        try:
            plane.start_etcd(force_new_cluster=True)
            if snapshot is not None:
                bootstrap.restore_from(Etcd(url=place.etcd_url, pki=place.pki), self._folder, self._config.password)
        finally:
            plane.kill()
        self._reset_flag.touch()

    def save(self, name: str) -> str:
        """A snapshot on the disk, and in the bucket where there shall be one; returns its name."""
        place = self.place()
        full = f"{name}-{self._machine.name}-{int(time.time())}"
        compress = self._config.is_set("etcd-snapshot-compress")
        file = snapshots.save(Etcd(url=place.etcd_url, pki=place.pki), self._snapshots, full, compress=compress)
        if self._config.is_set("etcd-s3"):
            self._bucket().put(file)
        return file.name

    def names(self) -> list[str]:
        """Every snapshot, by its place and name."""
        local = [f"file://{file}" for file in sorted(self._snapshots.glob("*"))]
        return local + ([f"s3://{name}" for name in self._bucket().names()] if self._config.is_set("etcd-s3") else [])

    @property
    def _snapshots(self) -> Path:
        return self._folder / "db/snapshots"

    @property
    def _reset_flag(self) -> Path:
        return self._folder / "db/reset-flag"

    def _snapshot(self, told: str) -> Path:
        """The file of a snapshot, from the bucket where that is told too."""
        if not self._config.is_set("etcd-s3"):
            return Path(told)
        self._snapshots.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The Secret cannot be read now: there is no API server.
        return snapshots.Bucket.of(self._config.bucket_flags()).get(told, self._snapshots)

    def _bucket(self) -> snapshots.Bucket:
        # As soon as anything is told directly, k3s does not look at the Secret.
        if told := self._config.bucket_flags():
            return snapshots.Bucket.of(told)
        return snapshots.Bucket.of_secret(Kubectl(self._kubeconfig), self._config.text("etcd-s3-config-secret"))

    def place(self) -> ControlPlaneConfig:
        """Where it runs; with its name in etcd, which is kept with the data."""
        config = self._config
        services = ip_network(config.text("service-cidr"))
        encryption = self._folder / bootstrap.FILES["EncryptionConfig"]
        extra = {program: list(flags) for program, flags in config.programs_flags(self._machine.root).items()}
        if encryption.exists():
            extra["kube-apiserver"].append(f"encryption-provider-config={encryption}")
        return ControlPlaneConfig(
            etcd_name=self._name(),
            address=self.address,
            ports=PORTS,
            pki=self._folder / "tls",
            etcd_data=self.data,
            work_folder=self._machine.folder,
            tls_sans=[*config.texts("tls-san"), self._machine.name],
            network=ClusterNetwork(
                pod_cidr=config.text("cluster-cidr"),
                service_cidr=str(services),
                apiserver_cluster_ip=str(services[1]),
                advertise_address=str(ADVERTISED[ip_address(self.address).packed[-1]]),
                context="default",
            ),
            node=self._machine.name,
            extra_flags=extra,
        )

    def _name(self) -> str:
        file = self.data / "name"
        if not file.exists():
            # etcd refuses a folder that others may read.
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(f"{self._machine.name}-{secrets.token_hex(4)}")
        return file.read_text()

    def _join_authorities(self) -> str | None:
        """The address of the server to join; what it tells is put in place. None for one that goes on or founds."""
        if self.has_data or not self._config.is_set("server"):
            if self._config.is_set("secrets-encryption"):
                bootstrap.create_encryption(self._folder)
            return None
        peer = urlsplit(self._config.text("server")).hostname or ""
        bootstrap.take(bootstrap.ask(peer, self._config), self._folder)
        return peer

    def _listen(self, place: ControlPlaneConfig) -> None:
        supervisor = Supervisor(self._folder, self._config.password)
        supervisor.listen(
            place.address, SUPERVISOR_PORT, certificate=place.pki / "apiserver.crt", key=place.pki / "apiserver.key"
        )
        if (public := self._machine.server.ipv4) != place.address:
            forward(public, place.address, PORTS["apiserver"])

    def _start_etcd(self, control_plane: ControlPlane, place: ControlPlaneConfig, peer: str | None) -> None:
        if peer is None:
            control_plane.start_etcd()
            own = Etcd(url=place.etcd_url, pki=place.pki)
            bootstrap.keep_in(own, self._folder, self._config.password)
            return
        others = Etcd(url=f"https://{peer}:{PORTS['etcd']}", pki=place.pki)
        members = others.add(place.etcd_name, place.peer_url)
        control_plane.start_etcd(members)
        others.promote(place.peer_url)

    def _register(self, place: ControlPlaneConfig, then: Callable[[], None] | None) -> None:
        server = self._machine.server
        node = Node(
            hostname=self._machine.name,
            ipv4=place.address,
            external_ipv4=server.ipv4,
            server_type=server.server_type,
            location=server.location,
            kubelet_host=place.address,
            labels=dict(label.split("=", 1) for label in self._config.texts("node-label")),
            annotations={registration.NODE_NAME: place.etcd_name, registration.NODE_ADDRESS: place.address},
            finalizers=[registration.MEMBER_FINALIZER, registration.PASSWORD_FINALIZER],
        )
        registration.register(Kubectl(self._kubeconfig), node, registration.password(self._machine.root))
        if then:
            then()

    def _start(self, name: str, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with (self._machine.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._machine.folder)


class Cli(click.Group):
    """Says in one line what went wrong, as k3s does."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (RehearsalError, EtcdError, OSError) as error:
            print(f"k3s: {error}", flush=True)
            sys.exit(1)


def flagged(values: Mapping[str, object]) -> Server:
    """The server of this machine, as its configuration says and, before that, the command line."""
    machine = Machine.here()
    told = {name.replace("_", "-"): value for name, value in values.items() if value is not None}
    return Server(machine, Config({**Config.read(machine.root).values, **told}))


@click.group(cls=Cli)
def cli() -> None:
    """The commands of k3s that a rehearsal knows."""


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
def server(*, cluster_reset: bool, cluster_reset_restore_path: str | None, **told: object) -> None:
    """The control plane of this machine."""
    machine = flagged(told)
    if not cluster_reset:
        machine.run()
        return
    machine.reset(cluster_reset_restore_path)
    print(
        "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. "
        "Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes"
    )


@cli.group()
def etcd_snapshot() -> None:
    """Snapshots of etcd."""


@etcd_snapshot.command()
@click.option("--name", default="on-demand")
def save(name: str) -> None:
    """One more, now."""
    print(f"Snapshot {flagged({}).save(name)} saved.")


@etcd_snapshot.command()
def ls() -> None:
    """Those there are."""
    print("\n".join(flagged({}).names()))


if __name__ == "__main__":
    cli()
