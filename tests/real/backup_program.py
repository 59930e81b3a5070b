"""Runs the program of the image honeydue-backup without a cluster: in the root file system of its image."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from rehearsal.external.backup_store import PORT, BackupStore
from rehearsal.external.database import ExternalDatabase
from rehearsal.external_authority import external_authority
from rehearsal.images.backup import POSTGRESQL
from rehearsal.layout import CHECKOUT
from rehearsal.processes import chroot
from tools import debian
from tools.cache import executable

USER = 10001
FOLDER = "/run"
"""Where the program sees `BackupProgram.folder`."""


@dataclass(frozen=True, kw_only=True)
class BackupProgram:
    """The program with the variables of the pod of a dump."""

    folder: Path
    database: ExternalDatabase
    store: BackupStore
    recipient: str

    def install(self) -> None:
        """Writes the programs that the image has beside its Debian packages."""
        self.folder.chmod(0o755)
        shutil.copytree(CHECKOUT / "images" / "backup", self.folder / "backup")
        for program in ("age", "rclone"):
            shutil.copy(executable(program), self.folder / program)
        shutil.copy(external_authority().files.certificate, self.folder / "ca.crt")

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": f"{POSTGRESQL}:{FOLDER}:/usr/bin:/bin:/usr/sbin:/sbin",
            "PYTHONPATH": FOLDER,
            "PYTHONDONTWRITEBYTECODE": "1",
            "SSL_CERT_FILE": f"{FOLDER}/ca.crt",
            "HOME": "/tmp",  # noqa: S108  # a temporary file system of the program
            "PGHOST": self.database.direct,
            "PGPORT": str(self.database.database.port),
            "PGDATABASE": self.database.database.name,
            "PGUSER": self.database.database.user,
            "PGPASSWORD": self.database.password,
            "PGSSLMODE": self.database.database.ssl_mode,
            "BACKUP_BUCKET": self.store.bucket,
            "BACKUP_ENDPOINT": f"{self.store.address}:{PORT}",
            "BACKUP_REGION": self.store.region,
            "BACKUP_RECIPIENT": self.recipient,
            "BACKUP_MINIMUM_PERCENT": "50",
            "AWS_ACCESS_KEY_ID": self.store.key_id,
            "AWS_SECRET_ACCESS_KEY": self.store.key,
        }

    def start(self, command: str, **changes: str) -> subprocess.Popen[bytes]:
        """Starts a command as process 1 of a PID namespace, as in a container, with both outputs in one stream."""
        program = ("python3", "-m", "backup", command)
        isolated = chroot.command(debian.root_filesystem("backup"), *program, folder=self.folder, user=USER)
        namespace = ["unshare", "--pid", "--fork"]
        return subprocess.Popen(
            [*namespace, *isolated],
            env={**self.environment, **changes},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Sends SIGTERM to a command, as the kubelet does. `unshare` does not pass it on."""
        for child in psutil.Process(process.pid).children():
            child.terminate()

    def run(self, command: str, content: bytes = b"", **changes: str) -> tuple[int, str]:
        """Runs a command. Returns its exit code and its output."""
        process = self.start(command, **changes)
        output, _ = process.communicate(content)
        return process.returncode, output.decode()
