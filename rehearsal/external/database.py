"""PostgreSQL as Neon offers it: the server at the direct host name, and pgbouncer at the pooler's host name.

Both are Debian packages. They require TLS and passwords (SCRAM). Each listens on its own address, which must already be
assigned to a network interface. They end with their world. The data remains in the world's folder.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from infra.settings.database import Database
from rehearsal import pki
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.processes import chroot, processes
from rehearsal.processes.readiness import NotReadyError, wait_until_ready
from tools import debian

USER = 70
"""An unprivileged user id: PostgreSQL refuses to run as root."""
MOUNT_POINT = "/run"
"""The path at which the programs see `ExternalDatabase.folder` (rehearsal/processes/chroot.py)."""
PROGRAMS = "/usr/lib/postgresql/15/bin"
DATABASE_VARIABLE = "HONEYDUE_DATABASE"
"""The environment variable of the database's processes, so that they can be stopped without the rest of the world."""
START_SECONDS = 60.0
CONNECT_SECONDS = 10
SSL_MODE = "require"


@dataclass(frozen=True, kw_only=True)
class ExternalDatabase:
    """The database of one world.

    `pooler` and `direct` are addresses in the caller's network namespace.
    """

    layout: Layout
    database: Database
    password: str = field(repr=False)
    pooler: str
    direct: str

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses by host name, for the DNS of the cluster."""
        return {self.database.pooled_host: self.pooler, self.database.direct_host: self.direct}

    @property
    def folder(self) -> Path:
        return self.layout.folder / "external" / "postgresql"

    def start(self) -> None:
        """Creates the database if it does not exist, and starts both programs. Returns when both answer a query."""
        if not (self.folder / "data" / "PG_VERSION").exists():
            self._create()
        self._configure()
        self._serve("postgresql", self.direct, f"{PROGRAMS}/postgres", "-D", f"{MOUNT_POINT}/data")
        self._serve("pgbouncer", self.pooler, "/usr/sbin/pgbouncer", f"{MOUNT_POINT}/pgbouncer.ini")

    def stop(self) -> None:
        """Kills both programs, as an outage does. The data remains."""
        processes.kill(DATABASE_VARIABLE, str(self.folder))

    def query(self, text: str, *, host: str | None = None) -> str:
        """Runs a query, by default at the direct address. Returns one line for each row. Raises a RehearsalError."""
        completed = self._psql(text, host or self.direct)
        if completed.returncode != 0:
            raise RehearsalError(f"the database returned an error: {completed.stderr.strip()}")
        return completed.stdout.strip()

    def _create(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._chown(self.folder)
        self._write("password", self.password)
        owner = ["--username", self.database.user, "--pwfile", f"{MOUNT_POINT}/password"]
        # An earlier start may have been interrupted.
        shutil.rmtree(self.folder / "data.new", ignore_errors=True)
        # No locale: each is an additional package. No sync: the data need not survive a power cut.
        options = ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        self._run(f"{PROGRAMS}/initdb", "-D", f"{MOUNT_POINT}/data.new", *owner, *options)
        # In single-user mode, before the server listens. Otherwise a client could connect before the database exists.
        self._run(
            f"{PROGRAMS}/postgres",
            "--single",
            "-D",
            f"{MOUNT_POINT}/data.new",
            "postgres",
            stdin=f'CREATE DATABASE "{self.database.name}";\n',
        )
        # Rename at the end, so that the result of an interrupted start is never used.
        (self.folder / "data.new").rename(self.folder / "data")

    def _configure(self) -> None:
        hosts = [*self.addresses, self.pooler, self.direct]
        ca = pki.CertificateAuthority.load_or_create(self.folder, "ca")
        server = ca.issue(self.folder, "server", common_name="postgresql", hosts=hosts)
        for file in (ca.files.certificate, server.certificate, server.key):
            self._chown(file)
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
            ssl_cert_file=f"'{MOUNT_POINT}/server.crt'",
            ssl_key_file=f"'{MOUNT_POINT}/server.key'",
            # The log shows the client address of each connection: the pooler's, or that of a direct client.
            log_connections="on",
            log_line_prefix="'%h '",
            # The JIT library is not in our set of packages.
            jit="off",
            # The data survives a killed process. It need not survive a power cut.
            fsync="off",
        )

    def _pgbouncer(self) -> str:
        # "*": the database for trying migrations has another name.
        return f"[databases]\n* = host={self.direct} port={self.database.port}\n[pgbouncer]\n" + _settings(
            listen_addr=self.pooler,
            listen_port=self.database.port,
            unix_socket_dir="",
            # As Neon's pooler: a client keeps no server connection, so session locks and prepared statements fail.
            pool_mode="transaction",
            auth_type="scram-sha-256",
            auth_file=f"{MOUNT_POINT}/users.txt",
            client_tls_sslmode="require",
            # pgbouncer requires this setting in every mode, although clients have no certificate.
            client_tls_ca_file=f"{MOUNT_POINT}/ca.crt",
            client_tls_cert_file=f"{MOUNT_POINT}/server.crt",
            client_tls_key_file=f"{MOUNT_POINT}/server.key",
            server_tls_sslmode="verify-full",
            server_tls_ca_file=f"{MOUNT_POINT}/ca.crt",
            # Drivers send this parameter when they connect, and pgbouncer rejects parameters that it does not know.
            ignore_startup_parameters="extra_float_digits",
        )

    def _run(self, *command: str, stdin: str | None = None) -> None:
        completed = subprocess.run(
            self._isolated(*command),
            input=stdin,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.layout.folder,
        )
        if completed.returncode != 0:
            raise RehearsalError(f"could not create the database: {completed.stderr.strip()}")

    def _isolated(self, *command: str) -> list[str]:
        # Process 1 of a new PID namespace: when it is killed, the kernel first kills PostgreSQL's child processes.
        namespace = ["unshare", "--pid", "--fork"]
        return [
            *namespace,
            *chroot.command(debian.root_filesystem("postgresql"), *command, folder=self.folder, user=USER),
        ]

    def _serve(self, name: str, host: str, *command: str) -> None:
        environment = self._environment() | {DATABASE_VARIABLE: str(self.folder)}
        process = processes.start(self.layout, name, self._isolated(*command), environment=environment)

        def probe() -> None:
            if self._psql("SELECT 1", host).returncode != 0:
                raise NotReadyError

        log = self.layout.logs / f"{name}.log"
        wait_until_ready(name, probe, process=process, log=log, timeout=START_SECONDS)

    def _psql(self, text: str, host: str) -> subprocess.CompletedProcess[str]:
        environment = self._environment() | {
            "PGHOST": host,
            "PGPORT": str(self.database.port),
            "PGDATABASE": self.database.name,
            "PGUSER": self.database.user,
            "PGPASSWORD": self.password,
            "PGSSLMODE": SSL_MODE,
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
        }
        command = self._isolated(f"{PROGRAMS}/psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", text)
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=self.layout.folder
        )

    def _environment(self) -> dict[str, str]:
        # Not the operator's environment: PGDATA or a locale that does not exist here would break the programs.
        return processes.world_environment(self.layout, {"PATH": os.environ["PATH"]})

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        pki.write_private(file, text.encode())
        self._chown(file)

    def _chown(self, file: Path) -> None:
        os.chown(file, USER, USER)


def _settings(**values: object) -> str:
    return "".join(f"{name} = {value}\n" for name, value in values.items())
