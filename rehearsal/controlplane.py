"""etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok: how each is started, and when it is ready."""

import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal import flags, pki, processes
from rehearsal.errors import RehearsalError
from rehearsal.flags import LOOPBACK, Network
from rehearsal.layout import Layout
from rehearsal.nodes import KUBELETS
from tools import programs

PORTS = ("etcd", "etcd-peer", "apiserver", "kubelets")
NAMES = frozenset({"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"})
START_SECONDS = 60.0
PORT_SECONDS = 2.0

KUBERNETES = programs.named("kubernetes")


class PortTakenError(Exception):
    """Somebody else bound a port between our choosing it and the program's binding it."""


class _NotReadyError(Exception):
    """Asked again until it is."""


def binary(program: str, name: str) -> Path:
    """A program built from tools/."""
    return programs.installed(programs.named(program)) / name


def choose_ports(preferred: Mapping[str, int]) -> dict[str, int]:
    """Free ports, those of the last start again where they still are: addresses in kubeconfig and state stay true."""
    with ExitStack() as held:
        # All held at once, so that no two are the same.
        return {name: _free_port(preferred.get(name, 0), held) for name in PORTS}


def _free_port(preferred: int, held: ExitStack) -> int:
    candidate = held.enter_context(socket.socket())
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        # A program that was killed a moment ago may hold its port a little longer.
        patiently = Retrying(retry=retry_if_exception_type(OSError), stop=stop_after_delay(PORT_SECONDS), wait=wait_fixed(0.05))
        patiently(candidate.bind, (LOOPBACK, preferred))
    except RetryError:
        candidate.bind((LOOPBACK, 0))
    port: int = candidate.getsockname()[1]
    return port


def server_url(ports: Mapping[str, int]) -> str:
    return f"https://{LOOPBACK}:{ports['apiserver']}"


def create_certificates(layout: Layout, network: Network) -> None:
    """All keys and certificates, once in a world's life."""
    folder = layout.pki
    if (folder / "complete").exists():
        return
    # An authority of its own: whoever holds a certificate of the cluster must not reach etcd, and past the API server.
    etcd = pki.Authority.create(folder, "etcd-ca")
    etcd.issue(folder, "etcd", common_name="etcd", hosts=[LOOPBACK])
    etcd.issue(folder, "etcd-client", common_name="kube-apiserver")

    cluster = pki.Authority.create(folder, "ca")
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    cluster.issue(folder, "apiserver", common_name="kube-apiserver", hosts=[LOOPBACK, network.advertise, network.first_service, *names])
    cluster.issue(folder, "admin", common_name="system:admin", organization="system:masters")
    cluster.issue(folder, "controller-manager", common_name="system:kube-controller-manager")
    cluster.issue(folder, "scheduler", common_name="system:kube-scheduler")
    cluster.issue(folder, "traefik", common_name="rehearsal:traefik")
    cluster.issue(folder, "kwok", common_name="rehearsal:kubelets", hosts=[KUBELETS, LOOPBACK])
    cluster.issue(folder, "apiserver-kubelet", common_name="kube-apiserver-kubelet-client")
    pki.create_key_pair(folder / "service-accounts.key", folder / "service-accounts.pub")
    (folder / "complete").touch()


def write_kubeconfigs(layout: Layout, network: Network, ports: Mapping[str, int]) -> None:
    """The operator's kubeconfig and one for each program, at the port in use."""
    clients = {layout.kubeconfig: "admin"} | {
        layout.pki / f"{name}.kubeconfig": name for name in ("controller-manager", "scheduler", "kwok", "traefik")
    }
    for file, client in clients.items():
        content = pki.kubeconfig(
            server=server_url(ports),
            authority=pki.identity(layout.pki, "ca"),
            client=pki.identity(layout.pki, client),
            context=network.context,
        )
        pki.write_private(file, content.encode())


class ControlPlane:
    """Starts the programs of one world, each when what it needs is ready."""

    def __init__(self, layout: Layout, network: Network, ports: Mapping[str, int]) -> None:
        self._layout = layout
        self._network = network
        self._ports = ports
        self._flags = flags.Flags(layout, network, ports)
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *, furnish: Callable[[], None]) -> None:
        """Starts everything, and calls `furnish` as soon as the API server takes objects.

        Raises PortTakenError, or a RehearsalError that names the log.
        """
        self._run("etcd", binary("etcd", "etcd"), self._flags.etcd())
        self._await("etcd", lambda: self._ask("etcd", "/health", authority="etcd-ca", client="etcd-client"))
        self._run("kube-apiserver", binary("kubernetes", "kube-apiserver"), self._flags.apiserver())
        # Its roles take it a second longer; the administrator needs none.
        self._await("kube-apiserver", lambda: self._ask_apiserver("/readyz?exclude=poststarthook/rbac/bootstrap-roles"))
        furnish()
        self._await("kube-apiserver", lambda: self._ask_apiserver("/readyz"))
        self._run("kube-controller-manager", binary("kubernetes", "kube-controller-manager"), self._flags.controller_manager())
        self._run("kube-scheduler", binary("kubernetes", "kube-scheduler"), self._flags.scheduler())
        # After it was furnished: without its rights kwok gives up.
        self._run("kwok", binary("kwok", "kwok"), self._flags.kwok())
        self._await("kwok", lambda: self._ask("kubelets", "/healthz", authority="ca", client="apiserver-kubelet"))

    def reap(self) -> None:
        """Collects the ended programs of this process, which would stay zombies until it ends."""
        for process in self._started.values():
            process.wait()
        self._started.clear()

    def _run(self, name: str, program: Path, given: Mapping[str, object]) -> None:
        (self._layout.logs / f"{name}.log").unlink(missing_ok=True)
        command = [str(program), *(f"--{flag}={value}" for flag, value in given.items())]
        self._started[name] = processes.start(self._layout, name, command)

    def _await(self, name: str, ready: Callable[[], None]) -> None:
        def attempt() -> None:
            if self._started[name].poll() is not None:
                raise self._ended(name)
            ready()

        try:
            Retrying(retry=retry_if_exception_type(_NotReadyError), stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.05))(attempt)
        except RetryError as error:
            raise RehearsalError(f"{name} is not ready after {START_SECONDS:.0f} s; its log: {self._log(name)}") from error

    def _ended(self, name: str) -> Exception:
        log = self._log(name)
        words = log.read_text(errors="replace")
        if "address already in use" in words:
            return PortTakenError(name)
        last = next((line for line in reversed(words.splitlines()) if line.strip()), "it said nothing")
        return RehearsalError(f"{name} ended while it started: {last[:300]} (its log: {log})")

    def _log(self, name: str) -> Path:
        return self._layout.logs / f"{name}.log"

    def _ask_apiserver(self, path: str) -> None:
        self._ask("apiserver", path, authority="ca", client="admin")

    def _ask(self, port: str, path: str, *, authority: str, client: str) -> None:
        trust = ssl.create_default_context(cafile=self._layout.pki / f"{authority}.crt")
        trust.load_cert_chain(self._layout.pki / f"{client}.crt", self._layout.pki / f"{client}.key")
        try:
            with urllib.request.urlopen(f"https://{LOOPBACK}:{self._ports[port]}{path}", context=trust, timeout=5):
                return
        except (urllib.error.URLError, OSError) as error:
            raise _NotReadyError from error
