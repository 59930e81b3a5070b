"""etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok: how each is started, and when it is ready."""

import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal import pki
from rehearsal.control_plane import flags
from rehearsal.control_plane.flags import LOOPBACK, ControlPlaneConfig
from rehearsal.control_plane.nodes import KWOK_HOST
from rehearsal.errors import RehearsalError
from tools import programs
from tools.cache import executable

PORTS = ("etcd", "etcd-peer", "apiserver", "kubelets")
NAMES = frozenset({"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"})
START_SECONDS = 60.0
PORT_SECONDS = 2.0

KUBELET_CLIENT = "kubelet"

KUBERNETES = programs.by_name("kubernetes")


class PortTakenError(Exception):
    """Somebody else bound a port between our choosing it and the program's binding it."""


class _NotReadyError(Exception):
    """Asked again until it is."""


def binary(program: str, name: str) -> Path:
    """A program built from tools/."""
    return executable(program, name)


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
        patiently = Retrying(
            retry=retry_if_exception_type(OSError), stop=stop_after_delay(PORT_SECONDS), wait=wait_fixed(0.05)
        )
        patiently(candidate.bind, (LOOPBACK, preferred))
    except RetryError:
        candidate.bind((LOOPBACK, 0))
    port: int = candidate.getsockname()[1]
    return port


def create_certificates(config: ControlPlaneConfig) -> None:
    """Issues what the programs need, once; of the authorities, laid out as k3s does, it makes those that are not there."""
    folder, network = config.pki, config.network
    if (folder / "complete").exists():
        return
    # Authorities of its own: whoever holds a certificate of the cluster must not reach etcd, and past the API server.
    # etcd compares a peer's certificate with the address that it calls from, which on loopback is always the first.
    members = dict.fromkeys([config.address, LOOPBACK])
    etcd = pki.CertificateAuthority.load_or_create(folder, "etcd/server-ca")
    etcd.issue(folder, "etcd/server", common_name="etcd-server", hosts=members)
    etcd.issue(folder, "etcd/client", common_name="etcd-client")
    pki.CertificateAuthority.load_or_create(folder, "etcd/peer-ca").issue(
        folder, "etcd/peer", common_name="etcd-peer", hosts=members
    )

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
    client.issue(folder, "traefik", common_name="rehearsal:traefik")
    client.issue(folder, KUBELET_CLIENT, common_name="rehearsal:kubelets")
    client.issue(folder, "apiserver-kubelet", common_name="kube-apiserver-kubelet-client")
    pki.CertificateAuthority.load_or_create(folder, "request-header-ca").issue(
        folder, "auth-proxy", common_name="system:auth-proxy"
    )
    pki.create_service_account_key(folder / "service.key")
    (folder / "complete").touch()


def write_kubeconfigs(config: ControlPlaneConfig, kubeconfig: Path) -> None:
    """The operator's kubeconfig and one for each program, at the address and port in use."""
    clients = {kubeconfig: "admin", config.pki / "kwok.kubeconfig": KUBELET_CLIENT} | {
        config.pki / f"{name}.kubeconfig": name for name in ("controller-manager", "scheduler", "traefik")
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
    """Starts the programs of one config, each when what it needs is ready.

    `run` starts a program under a name, its words in `<logs>/<name>.log`.
    """

    def __init__(
        self, config: ControlPlaneConfig, *, logs: Path, run: Callable[[str, Sequence[str]], subprocess.Popen[bytes]]
    ) -> None:
        self._config = config
        self._logs = logs
        self._start_program = run
        self._flags = flags.Flags(config)
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *, on_ready: Callable[[], None]) -> None:
        """Starts everything, and calls `furnish` as soon as the API server takes objects.

        Raises PortTakenError, or a RehearsalError that names the log.
        """
        self.start_etcd()
        self.start_kubernetes(on_ready=on_ready)

    def start_etcd(self, members: Sequence[str] = (), *, force_new_cluster: bool = False) -> None:
        """etcd, of a new cluster or of the data that is there, or joining these members; `alone` makes it forget all others.

        Returns when it answers, which a learner does before it is promoted.
        """
        self._run(
            "etcd",
            binary("etcd", "etcd"),
            {**self._flags.etcd(members), **({"force-new-cluster": "true"} if force_new_cluster else {})},
        )
        # A member alone leads at once and must; one that joins may still be learning.
        path = "/health?serializable=true" if members else "/health"
        self._await(
            "etcd",
            lambda: self._ask(f"{self._config.etcd_url}{path}", authority="etcd/server-ca", client="etcd/client"),
        )

    def start_kubernetes(self, *, on_ready: Callable[[], None]) -> None:
        """All the others."""
        self._run("kube-apiserver", binary("kubernetes", "kube-apiserver"), self._flags.apiserver())
        # Its roles take it a second longer; the administrator needs none.
        self._await("kube-apiserver", lambda: self._ask_apiserver("/readyz?exclude=poststarthook/rbac/bootstrap-roles"))
        with ThreadPoolExecutor(max_workers=1) as beside:
            furnished = beside.submit(on_ready)
            self._await("kube-apiserver", lambda: self._ask_apiserver("/readyz"))
            self._run(
                "kube-controller-manager",
                binary("kubernetes", "kube-controller-manager"),
                self._flags.controller_manager(),
            )
            self._run("kube-scheduler", binary("kubernetes", "kube-scheduler"), self._flags.scheduler())
            furnished.result()
        if not self._config.kwok:
            return
        # After it was furnished: without its rights kwok gives up.
        self._run("kwok", binary("kwok", "kwok"), self._flags.kwok())
        kubelets = f"https://{self._config.address}:{self._config.ports['kubelets']}/healthz"
        self._await("kwok", lambda: self._ask(kubelets, authority="server-ca", client="apiserver-kubelet"))

    def ended(self) -> str | None:
        """The name of a program that ended."""
        return next((name for name, process in self._started.items() if process.poll() is not None), None)

    def kill(self) -> None:
        """Ends what it started."""
        for process in self._started.values():
            process.kill()
        self.reap()

    def reap(self) -> None:
        """Collects the ended programs of this process, which would stay zombies until it ends."""
        for process in self._started.values():
            process.wait()
        self._started.clear()

    def _run(self, name: str, program: Path, given: Mapping[str, object]) -> None:
        self._log(name).unlink(missing_ok=True)
        self._started[name] = self._start_program(
            name, [str(program), *(f"--{flag}={value}" for flag, value in given.items())]
        )

    def _await(self, name: str, ready: Callable[[], None]) -> None:
        def attempt() -> None:
            if self._started[name].poll() is not None:
                raise self._ended(name)
            ready()

        try:
            Retrying(
                retry=retry_if_exception_type(_NotReadyError),
                stop=stop_after_delay(START_SECONDS),
                wait=wait_fixed(0.05),
            )(attempt)
        except RetryError as error:
            raise RehearsalError(
                f"{name} is not ready after {START_SECONDS:.0f} s; its log: {self._log(name)}"
            ) from error

    def _ended(self, name: str) -> Exception:
        log = self._log(name)
        words = log.read_text(errors="replace")
        if "address already in use" in words:
            return PortTakenError(name)
        last = next((line for line in reversed(words.splitlines()) if line.strip()), "it said nothing")
        return RehearsalError(f"{name} ended while it started: {last[:300]} (its log: {log})")

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _ask_apiserver(self, path: str) -> None:
        self._ask(f"{self._config.server_url}{path}", authority="server-ca", client="admin")

    def _ask(self, url: str, *, authority: str, client: str) -> None:
        trust = ssl.create_default_context(cafile=self._config.pki / f"{authority}.crt")
        trust.load_cert_chain(self._config.pki / f"{client}.crt", self._config.pki / f"{client}.key")
        try:
            with urllib.request.urlopen(url, context=trust, timeout=5):  # noqa: S310  # always https
                return
        except (urllib.error.URLError, OSError) as error:
            raise _NotReadyError from error
