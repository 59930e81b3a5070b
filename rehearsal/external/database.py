"""PostgreSQL as Neon offers it: itself under the direct host name, and pgbouncer before it under the pooler's.

Both from Debian's packages, with TLS and passwords (SCRAM), each at an address of its own that the caller has put on an interface.
They end with their world; what was written stays in its folder.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from infra.settings.apps import Database
from rehearsal import pki
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.processes import chroot, processes
from tools import debian

USER = 70
"""An unprivileged one: PostgreSQL refuses to run as root."""
INSIDE = "/run"
"""Where the folder stands for the programs (rehearsal/processes/chroot.py)."""
PROGRAMS = "/usr/lib/postgresql/15/bin"
MARK = "HONEYDUE_DATABASE"
"""In the environment of its processes, beside the world's mark: it can be stopped alone."""
START_SECONDS = 60.0
QUERY_SECONDS = 10
SSL_MODE = "require"


class _NotReadyError(Exception):
    """Asked again until it is."""


@dataclass(frozen=True, kw_only=True)
class ExternalDatabase:
    """The database of one world.

    `pooler` and `direct` are addresses of this machine or of the network namespace that the caller is in.
    """

    layout: Layout
    database: Database
    password: str = field(repr=False)
    pooler: str
    direct: str

    @property
    def addresses(self) -> dict[str, str]:
        """What the cluster's DNS answers for both names."""
        return {self.database.pooler_host: self.pooler, self.database.direct_host: self.direct}

    @property
    def folder(self) -> Path:
        return self.layout.folder / "external" / "postgresql"

    def start(self) -> None:
        """Makes the database where there is none, starts both, and returns when a query comes through both."""
        if not (self.folder / "data" / "PG_VERSION").exists():
            self._make()
        self._configure()
        self._serve("postgresql", self.direct, f"{PROGRAMS}/postgres", "-D", f"{INSIDE}/data")
        self._serve("pgbouncer", self.pooler, "/usr/sbin/pgbouncer", f"{INSIDE}/pgbouncer.ini")

    def stop(self) -> None:
        """Ends both, as an outage would; what was written stays."""
        processes.kill(MARK, str(self.folder))

    def query(self, text: str, *, host: str | None = None) -> str:
        """What the database answers, one row a line, through the direct address unless told otherwise; raises RehearsalError."""
        done = self._ask(text, host or self.direct)
        if done.returncode != 0:
            raise RehearsalError(f"the database answers: {done.stderr.strip()}")
        return done.stdout.strip()

    def _make(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own(self.folder)
        self._write("password", self.password)
        owner = ["--username", self.database.user, "--pwfile", f"{INSIDE}/password"]
        # Of a start that was interrupted.
        shutil.rmtree(self.folder / "data.new", ignore_errors=True)
        # No locale: each would be a package more. Without syncing: the folder is thrown away with its world.
        plain = ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        self._finish(f"{PROGRAMS}/initdb", "-D", f"{INSIDE}/data.new", *owner, *plain)
        # Alone with its files, before it listens: nobody sees a server without the database.
        self._finish(
            f"{PROGRAMS}/postgres",
            "--single",
            "-D",
            f"{INSIDE}/data.new",
            "postgres",
            words=f'CREATE DATABASE "{self.database.name}";\n',
        )
        # By rename: what an interrupted start left is not taken for a database.
        (self.folder / "data.new").rename(self.folder / "data")

    def _configure(self) -> None:
        hosts = [*self.addresses, self.pooler, self.direct]
        authority = pki.CertificateAuthority.load_or_create(self.folder, "authority")
        issued = authority.issue(self.folder, "server", common_name="postgresql", hosts=hosts)
        for file in (authority.files.certificate, issued.certificate, issued.key):
            self._own(file)
        self._write("data/postgresql.auto.conf", self._postgresql())
        self._write("data/pg_hba.conf", "hostssl all all all scram-sha-256\n")
        self._write("users.txt", f'"{self.database.user}" "{self.password}"\n')
        self._write("pgbouncer.ini", self._pgbouncer())

    def _postgresql(self) -> str:
        return _settings(
            listen_addresses=f"'{self.direct}'",
            port=self.database.port,
            unix_socket_directories="''",
            ssl="on",
            ssl_cert_file=f"'{INSIDE}/server.crt'",
            ssl_key_file=f"'{INSIDE}/server.key'",
            # Who comes by the direct name, and who by the pooler's: its log tells.
            log_connections="on",
            log_line_prefix="'%h '",
            # Its library is not in our set of packages.
            jit="off",
            # Killed with its world at any moment, and thrown away with it: durable to that, not to a loss of power.
            fsync="off",
        )

    def _pgbouncer(self) -> str:
        # "*": the database that migrations are tried against is another one.
        return f"[databases]\n* = host={self.direct} port={self.database.port}\n[pgbouncer]\n" + _settings(
            listen_addr=self.pooler,
            listen_port=self.database.port,
            unix_socket_dir="",
            # As Neon's: a session keeps no server, so no session lock and no prepared statement survives.
            pool_mode="transaction",
            auth_type="scram-sha-256",
            auth_file=f"{INSIDE}/users.txt",
            client_tls_sslmode="require",
            # Asked for at any mode; clients show no certificate.
            client_tls_ca_file=f"{INSIDE}/authority.crt",
            client_tls_cert_file=f"{INSIDE}/server.crt",
            client_tls_key_file=f"{INSIDE}/server.key",
            server_tls_sslmode="verify-full",
            server_tls_ca_file=f"{INSIDE}/authority.crt",
            # What drivers say at the start of a session and pgbouncer does not know.
            ignore_startup_parameters="extra_float_digits",
        )

    def _finish(self, *command: str, words: str | None = None) -> None:
        done = subprocess.run(
            self._inside(*command),
            input=words,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.layout.folder,
        )
        if done.returncode != 0:
            raise RehearsalError(f"the database could not be made: {done.stderr.strip()}")

    def _inside(self, *command: str) -> list[str]:
        # The first process of its own PID namespace: the kernel ends PostgreSQL's children with it, before its own end is seen.
        alone = ["unshare", "--pid", "--fork"]
        return [*alone, *chroot.command(debian.root_filesystem("postgresql"), *command, folder=self.folder, user=USER)]

    def _serve(self, name: str, host: str, *command: str) -> None:
        process = processes.start(
            self.layout, name, self._inside(*command), environment=self._environment() | {MARK: str(self.folder)}
        )
        log = self.layout.logs / f"{name}.log"

        def ask() -> None:
            if process.poll() is not None:
                raise RehearsalError(f"{name} ended while it started; its log: {log}")
            said = self._ask("SELECT 1", host)
            if said.returncode != 0:
                raise _NotReadyError(said.stderr.strip())

        try:
            Retrying(
                retry=retry_if_exception_type(_NotReadyError),
                stop=stop_after_delay(START_SECONDS),
                wait=wait_fixed(0.1),
            )(ask)
        except RetryError as error:
            raise RehearsalError(
                f"{name} does not answer at {host} after {START_SECONDS:.0f} s; its log: {log}"
            ) from error

    def _ask(self, text: str, host: str) -> subprocess.CompletedProcess[str]:
        environment = self._environment() | {
            "PGHOST": host,
            "PGPORT": str(self.database.port),
            "PGDATABASE": self.database.name,
            "PGUSER": self.database.user,
            "PGPASSWORD": self.password,
            "PGSSLMODE": SSL_MODE,
            "PGCONNECT_TIMEOUT": str(QUERY_SECONDS),
        }
        command = self._inside(f"{PROGRAMS}/psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", text)
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=self.layout.folder
        )

    def _environment(self) -> dict[str, str]:
        # Nothing of the person's own: PGDATA or a locale that is not here would lead the programs elsewhere.
        return processes.world_environment(self.layout, {"PATH": os.environ["PATH"]})

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        pki.write_private(file, text.encode())
        self._own(file)

    def _own(self, file: Path) -> None:
        os.chown(file, USER, USER)


def _settings(**values: object) -> str:
    return "".join(f"{name} = {value}\n" for name, value in values.items())
