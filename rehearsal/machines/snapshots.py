"""etcd snapshots as k3s makes them: on the machine's disk and in an S3 bucket, with the names that k3s uses."""

import base64
import subprocess
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from rehearsal.control_plane.flags import ControlPlaneConfig
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.errors import RehearsalError
from rehearsal.machines.etcd import Etcd
from tools.cache import executable

COMPRESSED = ".zip"


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The S3 bucket for snapshots. SSL_CERT_FILE of the machine determines which CAs the client trusts."""

    endpoint: str
    bucket: str
    region: str
    folder: str
    access_key: str
    secret_key: str

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> Self:
        """The bucket that options of k3s describe, with or without their prefix `etcd-s3-`. Raises RehearsalError."""
        values = {name.removeprefix("etcd-s3-").replace("-", "_"): value for name, value in options.items()}
        missing = [name for name in cls.__dataclass_fields__ if name not in values]
        if missing:
            raise RehearsalError(f"s3 configuration was not set: {', '.join(missing)}")
        return cls(**{name: values[name] for name in cls.__dataclass_fields__})

    @classmethod
    def from_secret(cls, kubectl: Kubectl, name: str) -> Self:
        """The bucket of the Secret that `etcd-s3-config-secret` names. Raises RehearsalError when it does not exist."""
        data: Mapping[str, str] = kubectl.run_json("get", "secret", name, "--namespace=kube-system")["data"]
        return cls.from_options({key: base64.b64decode(value).decode() for key, value in data.items()})

    def upload(self, file: Path) -> None:
        with self._one_line_errors():
            self._client.fput_object(self.bucket, self._key(file.name), str(file))

    def download(self, name: str, folder: Path) -> Path:
        with self._one_line_errors():
            self._client.fget_object(self.bucket, self._key(name), str(folder / name))
        return folder / name

    def names(self) -> Sequence[str]:
        with self._one_line_errors():
            objects = self._client.list_objects(self.bucket, prefix=self._key(""), recursive=True)
            return [Path(item.object_name or "").name for item in objects]

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except (MinioException, HTTPError) as error:
            raise RehearsalError(f"s3://{self.bucket} at {self.endpoint}: {error}") from error

    def _key(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name

    @property
    def _client(self) -> Minio:
        return Minio(self.endpoint, access_key=self.access_key, secret_key=self.secret_key, region=self.region)


def save(etcd: Etcd, folder: Path, name: str, *, compress: bool) -> Path:
    """Saves a snapshot of a running member to a file in `folder`, and returns the file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / name
    etcd.run("snapshot", "save", str(file))
    if not compress:
        return file
    compressed = file.with_name(file.name + COMPRESSED)
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, file.name)
    file.unlink()
    return compressed


def restore(file: Path, config: ControlPlaneConfig) -> None:
    """Creates the data of a new one-member cluster from a snapshot. Existing data is renamed to `etcd-old-<time>`."""
    if not file.exists():
        raise RehearsalError(f"etcd: snapshot path does not exist: {file}")
    if file.suffix == COMPRESSED:
        with zipfile.ZipFile(file) as archive:
            file = Path(archive.extract(archive.namelist()[0], file.parent))
    if config.etcd_data.exists():
        config.etcd_data.rename(config.etcd_data.with_name(f"etcd-old-{int(time.time())}"))
    member = [
        f"--name={config.etcd_name}",
        f"--initial-cluster={config.etcd_name}={config.peer_url}",
        f"--initial-advertise-peer-urls={config.peer_url}",
    ]
    command = [
        str(executable("etcd", "etcdutl")),
        "snapshot",
        "restore",
        str(file),
        f"--data-dir={config.etcd_data}",
        *member,
    ]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        raise RehearsalError(f"etcd: {completed.stderr.strip().splitlines()[-1]}")
    (config.etcd_data / "name").write_text(config.etcd_name)
