"""Stands for the k3s binary of a machine: real etcd and Kubernetes programs, started and joined in k3s' way.

What it follows is k3s' own source (github.com/k3s-io/k3s: pkg/etcd, pkg/cluster, pkg/nodepassword); what it leaves out is in
docs/rehearsal.md.
"""

import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import click

from rehearsal import controlplane, processes
from rehearsal.controlplane import ControlPlane
from rehearsal.errors import RehearsalError
from rehearsal.flags import Network, Place
from rehearsal.kubectl import Kubectl
from rehearsal.machines import bootstrap, registration
from rehearsal.machines.config import Config
from rehearsal.machines.etcd import Etcd, EtcdError
from rehearsal.machines.machine import MARK, SUPERVISOR_PORT, Machine
from rehearsal.machines.supervisor import Supervisor, forward
from rehearsal.nodes import Node

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
        self._kubeconfig = machine.root / "etc/rancher/k3s/k3s.yaml"

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
        # A killed predecessor leaves its programs behind, where k3s is one process with them.
        processes.end(MARK, str(self._machine.folder))
        peer = self._join_authorities()
        place = self.place()
        controlplane.create_certificates(place)
        controlplane.write_kubeconfigs(place, self._kubeconfig)
        self._listen(place)
        control_plane = ControlPlane(place, logs=self._machine.logs, run=self._start)
        try:
            self._start_etcd(control_plane, place, peer)
            control_plane.start_kubernetes(furnish=partial(self._furnish, founding=peer is None and self._config.is_set("cluster-init")))
            registration.Cleaner(Kubectl(self._kubeconfig), Etcd(url=place.etcd_url, pki=place.pki)).start()
            self._register(place)
            while (ended := control_plane.ended()) is None:
                time.sleep(WATCH_SECONDS)
            raise RehearsalError(f"{ended} ended")
        finally:
            control_plane.kill()

    def place(self) -> Place:
        """Where it runs; with its name in etcd, which is kept with the data."""
        config = self._config
        services = ip_network(config.text("service-cidr"))
        encryption = self._folder / bootstrap.FILES["EncryptionConfig"]
        extra = {program: list(flags) for program, flags in config.programs_flags(self._machine.root).items()}
        if encryption.exists():
            extra["kube-apiserver"].append(f"encryption-provider-config={encryption}")
        return Place(
            name=self._name(),
            address=self.address,
            ports=PORTS,
            pki=self._folder / "tls",
            data=self.data,
            scratch=self._machine.folder,
            hosts=[*config.texts("tls-san"), self._machine.name],
            network=Network(
                pods=config.text("cluster-cidr"),
                services=str(services),
                first_service=str(services[1]),
                advertise=str(ADVERTISED[ip_address(self.address).packed[-1]]),
                context="default",
            ),
            node=self._machine.name,
            extra=extra,
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

    def _listen(self, place: Place) -> None:
        supervisor = Supervisor(self._folder, self._config.password)
        supervisor.listen(place.address, SUPERVISOR_PORT, certificate=place.pki / "apiserver.crt", key=place.pki / "apiserver.key")
        if (public := self._machine.server.ipv4) != place.address:
            forward(public, place.address, PORTS["apiserver"])

    def _start_etcd(self, control_plane: ControlPlane, place: Place, peer: str | None) -> None:
        if peer is None:
            control_plane.start_etcd()
            own = Etcd(url=place.etcd_url, pki=place.pki)
            bootstrap.keep_in(own, self._folder, self._config.password)
            return
        others = Etcd(url=f"https://{peer}:{PORTS['etcd']}", pki=place.pki)
        members = others.add(place.name, place.peer_url)
        control_plane.start_etcd(members)
        others.promote(place.peer_url)

    def _furnish(self, *, founding: bool) -> None:
        if founding:
            Kubectl(self._kubeconfig).furnish([])

    def _register(self, place: Place) -> None:
        server = self._machine.server
        node = Node(
            hostname=self._machine.name,
            ipv4=place.address,
            external_ipv4=server.ipv4,
            server_type=server.server_type,
            location=server.location,
            kubelet=place.address,
            labels=dict(label.split("=", 1) for label in self._config.texts("node-label")),
            annotations={registration.NODE_NAME: place.name, registration.NODE_ADDRESS: place.address},
            finalizers=[registration.MEMBER_FINALIZER, registration.PASSWORD_FINALIZER],
        )
        registration.register(Kubectl(self._kubeconfig), node, registration.password(self._machine.root))

    def _start(self, name: str, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with (self._machine.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._machine.folder)


@click.group()
def cli() -> None:
    """The commands of k3s that a rehearsal knows."""


@cli.command()
def server() -> None:
    """The control plane of this machine."""
    machine = Machine.here()
    try:
        Server(machine, Config.read(machine.root)).run()
    except (RehearsalError, EtcdError, OSError) as error:
        print(f"k3s: {error}", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    cli()
