"""etcd's snapshots as k3s keeps them: on the machine's disk and in a bucket, with the names that k3s gives."""

import base64
import subprocess
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from rehearsal.control_plane.control_plane import binary
from rehearsal.control_plane.flags import ControlPlaneConfig
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.errors import RehearsalError
from rehearsal.machines.etcd import Etcd

COMPRESSED = ".zip"


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Where snapshots go besides the machine's own disk. Whom it trusts there is the machine's business (SSL_CERT_FILE)."""

    endpoint: str
    bucket: str
    region: str
    folder: str
    access_key: str
    secret_key: str

    @classmethod
    def of(cls, flags: Mapping[str, str]) -> Self:
        """By k3s' own names, with and without their `etcd-s3-`."""
        told = {name.removeprefix("etcd-s3-").replace("-", "_"): value for name, value in flags.items()}
        missing = [name for name in cls.__dataclass_fields__ if name not in told]
        if missing:
            raise RehearsalError(f"s3 configuration was not set: {', '.join(missing)}")
        return cls(**{name: told[name] for name in cls.__dataclass_fields__})

    @classmethod
    def of_secret(cls, kubectl: Kubectl, name: str) -> Self:
        """What the Secret says that k3s is told to read; a RehearsalError while there is none."""
        data: Mapping[str, str] = kubectl.run_json("get", "secret", name, "--namespace=kube-system")["data"]
        return cls.of({key: base64.b64decode(value).decode() for key, value in data.items()})

    def put(self, file: Path) -> None:
        with _Refusals(self):
            self._client.fput_object(self.bucket, self._key(file.name), str(file))

    def get(self, name: str, folder: Path) -> Path:
        with _Refusals(self):
            self._client.fget_object(self.bucket, self._key(name), str(folder / name))
        return folder / name

    def names(self) -> Sequence[str]:
        with _Refusals(self):
            found = self._client.list_objects(self.bucket, prefix=self._key(""), recursive=True)
            return [Path(one.object_name or "").name for one in found]

    def _key(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name

    @property
    def _client(self) -> Minio:
        return Minio(self.endpoint, access_key=self.access_key, secret_key=self.secret_key, region=self.region)


class _Refusals:
    """Says in one line what the store would not do."""

    def __init__(self, bucket: Bucket) -> None:
        self._where = f"s3://{bucket.bucket} at {bucket.endpoint}"

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, MinioException | HTTPError):
            raise RehearsalError(f"{self._where}: {error}") from error


def save(etcd: Etcd, folder: Path, name: str, *, compress: bool) -> Path:
    """A snapshot of a living member."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / name
    etcd.run("snapshot", "save", str(file))
    if not compress:
        return file
    packed = file.with_name(file.name + COMPRESSED)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, file.name)
    file.unlink()
    return packed


def restore(file: Path, place: ControlPlaneConfig) -> None:
    """Makes a member's data of a snapshot, which is a cluster of its own; the data that was there is put aside."""
    if not file.exists():
        raise RehearsalError(f"etcd: snapshot path does not exist: {file}")
    if file.suffix == COMPRESSED:
        with zipfile.ZipFile(file) as archive:
            file = Path(archive.extract(archive.namelist()[0], file.parent))
    if place.etcd_data.exists():
        place.etcd_data.rename(place.etcd_data.with_name(f"etcd-old-{int(time.time())}"))
    member = [
        f"--name={place.etcd_name}",
        f"--initial-cluster={place.etcd_name}={place.peer_url}",
        f"--initial-advertise-peer-urls={place.peer_url}",
    ]
    command = [
        str(binary("etcd", "etcdutl")),
        "snapshot",
        "restore",
        str(file),
        f"--data-dir={place.etcd_data}",
        *member,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RehearsalError(f"etcd: {done.stderr.strip().splitlines()[-1]}")
    (place.etcd_data / "name").write_text(place.etcd_name)
