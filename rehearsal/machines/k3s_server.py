"""`k3s server` on a simulated machine: runs the real etcd and Kubernetes programs, and joins them as k3s does.

It follows the source of k3s (github.com/k3s-io/k3s: pkg/etcd, pkg/cluster, pkg/nodepassword). docs/rehearsal.md lists
what it leaves out.
"""

import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from rehearsal.control_plane import control_plane
from rehearsal.control_plane.control_plane import ControlPlane
from rehearsal.control_plane.flags import ClusterNetwork, ControlPlaneConfig
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import Node, configuration_annotations
from rehearsal.errors import RehearsalError
from rehearsal.machines import bootstrap, registration, snapshots
from rehearsal.machines.config import Config
from rehearsal.machines.etcd import Etcd
from rehearsal.machines.machine import MACHINE_VARIABLE, SUPERVISOR_PORT, Machine
from rehearsal.machines.supervisor import Supervisor, forward
from rehearsal.processes import processes
from rehearsal.traefik.helm_controller import HelmController

PORTS = {"etcd": 2379, "etcd-peer": 2380, "apiserver": 6443, "kubelets": 10250}
ADVERTISED = ip_network("192.0.2.0/24")
"""The range of the advertised addresses, reserved for documentation: Kubernetes refuses loopback for an endpoint."""
WATCH_SECONDS = 0.5


class K3sServer:
    """The k3s server of one machine."""

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
        """Runs until one of its programs ends, then raises a RehearsalError that names the program."""
        self._reset_flag.unlink(missing_ok=True)
        # k3s is one process with its programs. Here, a killed server leaves its programs behind: end them.
        processes.kill(MACHINE_VARIABLE, str(self._machine.folder))
        peer = self._prepare_bootstrap_data()
        config = self.control_plane_config()
        control_plane.create_certificates(config)
        control_plane.write_kubeconfigs(config, self._kubeconfig)
        self._listen(config)
        plane = ControlPlane(config, logs=self._machine.logs, run=self._start)
        try:
            self._start_etcd(plane, config, peer)
            kubectl, cluster_init = Kubectl(self._kubeconfig), self._config.is_set("cluster-init")
            plane.start_kubernetes(on_ready=kubectl.install_k3s_manifests if cluster_init else lambda: None)
            registration.NodeCleanup(kubectl, Etcd(url=config.etcd_url, pki=config.pki)).start()
            # In a thread: the registration retries without end while another machine has the name of this node. The
            # control plane must run in the meantime.
            threading.Thread(
                target=self._register,
                args=[config, kubectl.install_traefik_crds if cluster_init else None],
                daemon=True,
            ).start()
            if cluster_init:
                # As in k3s, one server of the cluster installs the charts.
                HelmController(kubectl).start()
            while (program := plane.ended()) is None:
                time.sleep(WATCH_SECONDS)
            raise RehearsalError(f"{program} ended")
        finally:
            plane.kill()

    def reset(self, snapshot: str | None) -> None:
        """Makes this member the only one of its cluster, with its present data or with the data of a snapshot."""
        if self._config.is_set("server"):
            raise RehearsalError(
                "cannot perform cluster-reset while server URL is set - "
                "remove server from configuration before resetting"
            )
        if self._machine.running():
            raise RehearsalError("k3s runs on this machine: systemctl stop k3s")
        if self._reset_flag.exists():
            raise RehearsalError(
                "Managed etcd cluster membership was previously reset, "
                "remove the cluster-reset flag and start k3s normally"
            )
        config = self.control_plane_config()
        control_plane.create_certificates(config)
        if snapshot is not None:
            snapshots.restore(self._snapshot_file(snapshot), config)
        plane = ControlPlane(config, logs=self._machine.logs, run=self._start)
        try:
            plane.start_etcd(force_new_cluster=True)
            if snapshot is not None:
                bootstrap.restore_from(Etcd(url=config.etcd_url, pki=config.pki), self._folder, self._config.password)
        finally:
            plane.kill()
        self._reset_flag.touch()

    def save_snapshot(self, name: str) -> str:
        """Saves a snapshot on the disk, and in the bucket if one is configured. Returns its full name."""
        config = self.control_plane_config()
        full_name = f"{name}-{self._machine.name}-{int(time.time())}"
        compress = self._config.is_set("etcd-snapshot-compress")
        file = snapshots.save(Etcd(url=config.etcd_url, pki=config.pki), self._snapshots, full_name, compress=compress)
        if self._config.is_set("etcd-s3"):
            self._bucket().upload(file)
        return file.name

    def snapshot_locations(self) -> list[str]:
        """The URL of every snapshot on the disk and in the bucket."""
        local = [f"file://{file}" for file in sorted(self._snapshots.glob("*"))]
        return local + ([f"s3://{name}" for name in self._bucket().names()] if self._config.is_set("etcd-s3") else [])

    @property
    def _snapshots(self) -> Path:
        return self._folder / "db/snapshots"

    @property
    def _reset_flag(self) -> Path:
        return self._folder / "db/reset-flag"

    def _snapshot_file(self, path_or_name: str) -> Path:
        """The file of a snapshot: downloaded by its name if S3 is enabled, else the path itself."""
        if not self._config.is_set("etcd-s3"):
            return Path(path_or_name)
        self._snapshots.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only the options can describe the bucket: without an API server, the Secret cannot be read.
        return snapshots.Bucket.from_options(self._config.bucket_options()).download(path_or_name, self._snapshots)

    def _bucket(self) -> snapshots.Bucket:
        # As in k3s, a single option for the bucket means that the Secret is ignored.
        if options := self._config.bucket_options():
            return snapshots.Bucket.from_options(options)
        return snapshots.Bucket.from_secret(Kubectl(self._kubeconfig), self._config.text("etcd-s3-config-secret"))

    def control_plane_config(self) -> ControlPlaneConfig:
        """The configuration of the control plane on this machine."""
        k3s = self._config
        services = ip_network(k3s.text("service-cidr"))
        encryption = self._folder / bootstrap.FILES["EncryptionConfig"]
        extra = {program: list(flags) for program, flags in k3s.extra_arguments(self._machine.root).items()}
        if encryption.exists():
            extra["kube-apiserver"].append(f"encryption-provider-config={encryption}")
        return ControlPlaneConfig(
            etcd_name=self._member_name(),
            address=self.address,
            ports=PORTS,
            pki=self._folder / "tls",
            etcd_data=self.data,
            work_folder=self._machine.folder,
            tls_sans=[*k3s.texts("tls-san"), self._machine.name],
            network=ClusterNetwork(
                pod_cidr=k3s.text("cluster-cidr"),
                service_cidr=str(services),
                apiserver_cluster_ip=str(services[1]),
                advertise_address=str(ADVERTISED[ip_address(self.address).packed[-1]]),
                context="default",
            ),
            node=self._machine.name,
            extra_flags=extra,
        )

    def _member_name(self) -> str:
        # k3s generates the name of an etcd member once and stores it with the data.
        file = self.data / "name"
        if not file.exists():
            # etcd refuses a data folder that other users can read.
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(f"{self._machine.name}-{secrets.token_hex(4)}")
        return file.read_text()

    def _prepare_bootstrap_data(self) -> str | None:
        """Fetches the bootstrap data of a server that joins, and returns the address of its peer.

        Returns None for a server that already is a member or that bootstraps the cluster.
        """
        if self.has_data or not self._config.is_set("server"):
            if self._config.is_set("secrets-encryption"):
                bootstrap.create_encryption_config(self._folder)
            return None
        peer = urlsplit(self._config.text("server")).hostname or ""
        bootstrap.write(bootstrap.fetch(peer, self._config), self._folder)
        return peer

    def _listen(self, config: ControlPlaneConfig) -> None:
        supervisor = Supervisor(self._folder, self._config)
        supervisor.listen(
            config.address, SUPERVISOR_PORT, certificate=config.pki / "apiserver.crt", key=config.pki / "apiserver.key"
        )
        if (public := self._machine.cloud_server.ipv4) != config.address:
            forward(public, config.address, PORTS["apiserver"])

    def _start_etcd(self, control_plane: ControlPlane, config: ControlPlaneConfig, peer: str | None) -> None:
        if peer is None:
            control_plane.start_etcd()
            bootstrap.save_to(Etcd(url=config.etcd_url, pki=config.pki), self._folder, self._config.password)
            return
        peer_etcd = Etcd(url=f"https://{peer}:{PORTS['etcd']}", pki=config.pki)
        members = peer_etcd.add(config.etcd_name, config.peer_url)
        control_plane.start_etcd(members)
        peer_etcd.promote(config.peer_url)

    def _register(self, config: ControlPlaneConfig, on_registered: Callable[[], None] | None) -> None:
        server = self._machine.cloud_server
        node = Node(
            hostname=self._machine.name,
            ipv4=config.address,
            external_ipv4=server.ipv4,
            server_type=server.server_type,
            location=server.location,
            kubelet_host=config.address,
            labels=dict(label.split("=", 1) for label in self._config.texts("node-label")),
            annotations={
                registration.NODE_NAME: config.etcd_name,
                registration.NODE_ADDRESS: config.address,
                **configuration_annotations(self._config.values),
            },
            finalizers=[registration.MEMBER_FINALIZER, registration.PASSWORD_FINALIZER],
        )
        registration.register(Kubectl(self._kubeconfig), node, registration.node_password(self._machine.root))
        if on_registered:
            on_registered()

    def _start(self, name: str, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with (self._machine.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._machine.folder)
