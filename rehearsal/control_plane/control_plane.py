"""Starts etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok, and waits until each is ready."""

import ssl
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rehearsal import pki
from rehearsal.control_plane import flags
from rehearsal.control_plane.flags import ControlPlaneConfig
from rehearsal.control_plane.nodes import KWOK_HOST
from rehearsal.loopback import LOOPBACK, probe
from rehearsal.processes.readiness import ProgramEndedError, wait_until_ready
from tools import programs
from tools.cache import executable

PORTS = ("etcd", "etcd-peer", "apiserver", "kubelets")
NAMES = frozenset({"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"})
START_SECONDS = 60.0

KUBELET_CLIENT = "kubelet"
"""The file name of kwok's client certificate."""

KUBERNETES = programs.by_name("kubernetes")


class PortTakenError(Exception):
    """Another program bound a port after it was chosen and before our program bound it."""


def create_certificates(config: ControlPlaneConfig) -> None:
    """Issues the certificates of all programs. Existing certificates and certificate authorities are kept.

    The authorities have the same names and the same purposes as those of k3s.
    """
    folder, network = config.pki, config.network
    if (folder / "complete").exists():
        return
    # etcd has its own authorities. Otherwise every client certificate of the cluster could read etcd directly.
    # etcd compares a peer's certificate with the source address of the connection. On loopback this is 127.0.0.1.
    members = dict.fromkeys([config.address, LOOPBACK])
    etcd = pki.CertificateAuthority.load_or_create(folder, "etcd/server-ca")
    etcd.issue(folder, "etcd/server", common_name="etcd-server", hosts=members)
    etcd.issue(folder, "etcd/client", common_name="etcd-client")
    peer = pki.CertificateAuthority.load_or_create(folder, "etcd/peer-ca")
    peer.issue(folder, "etcd/peer", common_name="etcd-peer", hosts=members)

    server = pki.CertificateAuthority.load_or_create(folder, "server-ca")
    names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ]
    addresses = dict.fromkeys(
        [config.address, network.advertise_address, network.apiserver_cluster_ip, *config.tls_sans]
    )
    server.issue(folder, "apiserver", common_name="kube-apiserver", hosts=[*addresses, *names])
    server.issue(folder, "kwok", common_name="kubelet", hosts=dict.fromkeys([KWOK_HOST, config.address]))

    client = pki.CertificateAuthority.load_or_create(folder, "client-ca")
    client.issue(folder, "admin", common_name="system:admin", organization="system:masters")
    client.issue(folder, "controller-manager", common_name="system:kube-controller-manager")
    client.issue(folder, "scheduler", common_name="system:kube-scheduler")
    client.issue(folder, KUBELET_CLIENT, common_name="rehearsal:kubelets")
    client.issue(folder, "apiserver-kubelet", common_name="kube-apiserver-kubelet-client")
    request_header = pki.CertificateAuthority.load_or_create(folder, "request-header-ca")
    request_header.issue(folder, "auth-proxy", common_name="system:auth-proxy")
    pki.create_service_account_key(folder / "service.key")
    (folder / "complete").touch()


def write_kubeconfigs(config: ControlPlaneConfig, kubeconfig: Path) -> None:
    """Writes the operator's kubeconfig and one for each program, with the API server's current URL."""
    clients = {kubeconfig: "admin", config.pki / "kwok.kubeconfig": KUBELET_CLIENT} | {
        config.pki / f"{name}.kubeconfig": name for name in ("controller-manager", "scheduler")
    }
    for file, client in clients.items():
        content = pki.kubeconfig(
            server=config.server_url,
            ca=pki.key_pair(config.pki, "server-ca"),
            client=pki.key_pair(config.pki, client),
            context=config.network.context,
        )
        pki.write_private(file, content.encode())


class ControlPlane:
    """The programs of one control plane. Each starts when the programs that it needs are ready.

    `run` starts a command under a name and writes its output to `<logs>/<name>.log`.
    """

    def __init__(
        self, config: ControlPlaneConfig, *, logs: Path, run: Callable[[str, Sequence[str]], subprocess.Popen[bytes]]
    ) -> None:
        self._config = config
        self._logs = logs
        self._start_program = run
        self._flags = flags.Flags(config)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *, on_ready: Callable[[], None]) -> None:
        """Starts all programs. Calls `on_ready` as soon as the API server accepts objects, and waits for it.

        Raises PortTakenError, or a RehearsalError that names the log of the program that failed.
        """
        self.start_etcd()
        self.start_kubernetes(on_ready=on_ready)

    def start_etcd(self, members: Sequence[str] = (), *, force_new_cluster: bool = False) -> None:
        """Starts etcd and returns when it answers. A learner answers before it is promoted.

        Without `members`, etcd uses the existing data or begins a new cluster. With `members` (`name=peer-url`), it
        joins their cluster. `force_new_cluster` removes all other members from the existing data.
        """
        extra = {"force-new-cluster": "true"} if force_new_cluster else {}
        self._run("etcd", executable("etcd", "etcd"), {**self._flags.etcd(members), **extra})
        # A single member must be the leader to be healthy. A learner cannot be, so a local read is enough for it.
        path = "/health?serializable=true" if members else "/health"
        self._wait("etcd", self._probe(f"{self._config.etcd_url}{path}", ca="etcd/server-ca", client="etcd/client"))

    def start_kubernetes(self, *, on_ready: Callable[[], None]) -> None:
        """Starts all programs except etcd. See `start`."""
        self._run("kube-apiserver", executable("kubernetes", "kube-apiserver"), self._flags.apiserver())
        # The bootstrap roles take a second longer. The administrator does not need them.
        self._wait("kube-apiserver", self._probe_apiserver("/readyz?exclude=poststarthook/rbac/bootstrap-roles"))
        with ThreadPoolExecutor(max_workers=1) as executor:
            manifests_installed = executor.submit(on_ready)
            self._wait("kube-apiserver", self._probe_apiserver("/readyz"))
            self._run(
                "kube-controller-manager",
                executable("kubernetes", "kube-controller-manager"),
                self._flags.controller_manager(),
            )
            self._run("kube-scheduler", executable("kubernetes", "kube-scheduler"), self._flags.scheduler())
            manifests_installed.result()
        if not self._config.kwok:
            return
        # After `on_ready`, which creates kwok's ClusterRole. Without it, kwok exits.
        self._run("kwok", executable("kwok", "kwok"), self._flags.kwok())
        kubelets = f"https://{self._config.address}:{self._config.ports['kubelets']}/healthz"
        self._wait("kwok", self._probe(kubelets, ca="server-ca", client="apiserver-kubelet"))

    def ended(self) -> str | None:
        """The name of a program that has ended, or None."""
        return next((name for name, process in self._processes.items() if process.poll() is not None), None)

    def kill(self) -> None:
        """Kills all programs that were started."""
        for process in self._processes.values():
            process.kill()
        self.reap()

    def reap(self) -> None:
        """Waits for programs that were killed. Otherwise they stay zombies until this process ends."""
        for process in self._processes.values():
            process.wait()
        self._processes.clear()

    def _run(self, name: str, program: Path, program_flags: Mapping[str, object]) -> None:
        self._log(name).unlink(missing_ok=True)
        command = [str(program), *(f"--{flag}={value}" for flag, value in program_flags.items())]
        self._processes[name] = self._start_program(name, command)

    def _wait(self, name: str, probe: Callable[[], None]) -> None:
        try:
            wait_until_ready(name, probe, process=self._processes[name], log=self._log(name), timeout=START_SECONDS)
        except ProgramEndedError as error:
            if "address already in use" in error.output:
                raise PortTakenError(name) from error
            raise

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _probe_apiserver(self, path: str) -> Callable[[], None]:
        return self._probe(f"{self._config.server_url}{path}", ca="server-ca", client="admin")

    def _probe(self, url: str, *, ca: str, client: str) -> Callable[[], None]:
        """A probe that raises OSError until a GET of the URL succeeds. (URLError is an OSError.)"""
        context = ssl.create_default_context(cafile=self._config.pki / f"{ca}.crt")
        context.load_cert_chain(self._config.pki / f"{client}.crt", self._config.pki / f"{client}.key")

        def get() -> None:
            probe(url, tls=context, timeout=5)

        return get
