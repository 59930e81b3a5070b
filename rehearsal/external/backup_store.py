"""versitygw at the object store's name in the settings, with the bucket for dumps of the database.

The bucket has Object Lock with a default retention. The key of the cluster may write, list and read, but not delete, as
in production.
"""

import json
import subprocess
from dataclasses import dataclass, field
from typing import ClassVar

import requests
import urllib3
from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.error import S3Error
from minio.objectlockconfig import DAYS, ObjectLockConfig

from rehearsal import pki
from rehearsal.errors import RehearsalError
from rehearsal.external.server import TIMEOUT_SECONDS, ExternalServer
from rehearsal.external_authority import external_authority
from tools.cache import executable

PORT = 443
ROOT_KEY_ID, ROOT_KEY = "rehearsal-root", "rehearsal-root-key"
READ, WRITE = ("s3:GetObject", "s3:ListBucket"), ("s3:PutObject", "s3:AbortMultipartUpload")


@dataclass(frozen=True, kw_only=True)
class BackupStore(ExternalServer):
    """The object store. `key_id` and `key` are those of the cluster, and `keep` the days of the default retention."""

    name: ClassVar[str] = "versitygw"
    hostname: str
    region: str
    bucket: str
    keep: int
    key_id: str
    key: str = field(repr=False)

    @property
    def host(self) -> str:
        return self.hostname

    def start(self) -> None:
        super().start()
        self._create_user()
        client = self.client(ROOT_KEY_ID, ROOT_KEY)
        if not client.bucket_exists(self.bucket):
            client.make_bucket(self.bucket, object_lock=True)
            client.set_object_lock_config(self.bucket, ObjectLockConfig(GOVERNANCE, self.keep, DAYS))
        self.set_rights(writable=True)

    def set_rights(self, *, writable: bool) -> None:
        """What the key of the cluster may do. Without the right to write, uploads fail as in a full bucket."""
        policy = json.dumps(self._policy(writable=writable))
        self.client(ROOT_KEY_ID, ROOT_KEY).set_bucket_policy(self.bucket, policy)

    def client(self, key_id: str, key: str) -> Minio:
        """A client with this key."""
        pool = urllib3.PoolManager(ca_certs=str(external_authority().files.certificate), retries=False)
        return Minio(f"{self.address}:{PORT}", key_id, key, region=self.region, http_client=pool)

    def command(self, certificate: pki.KeyPair) -> list[str]:
        folders = {name: self.folder / name for name in ("data", "sidecar", "versions", "users")}
        for folder in folders.values():
            folder.mkdir(mode=0o700, exist_ok=True)
        return [
            str(executable("versitygw")),
            f"--port={self.address}:{PORT}",
            f"--cert={certificate.certificate}",
            f"--key={certificate.key}",
            f"--access={ROOT_KEY_ID}",
            f"--secret={ROOT_KEY}",
            f"--region={self.region}",
            f"--iam-dir={folders['users']}",
            "--quiet",
            "posix",
            f"--sidecar={folders['sidecar']}",
            f"--versioning-dir={folders['versions']}",
            str(folders["data"]),
        ]

    def probe(self) -> None:
        requests.get(
            f"https://{self.address}:{PORT}/",
            verify=str(external_authority().files.certificate),
            timeout=TIMEOUT_SECONDS,
        )

    def objects(self) -> dict[str, int]:
        """The objects of the bucket with their sizes."""
        client = self.client(ROOT_KEY_ID, ROOT_KEY)
        return {str(item.object_name): int(item.size or 0) for item in client.list_objects(self.bucket)}

    def unfinished_uploads(self) -> list[str]:
        """The objects of multipart uploads that were neither completed nor aborted."""
        folder = self.folder / "data" / self.bucket / ".sgwtmp" / "multipart"
        # A folder for each object, which remains, with a folder for each upload.
        return sorted(path.name for path in folder.glob("*/*"))

    def may_delete(self, name: str) -> bool:
        """Whether the key of the cluster can delete an object."""
        try:
            self.client(self.key_id, self.key).remove_object(self.bucket, name)
        except S3Error as error:
            if error.code == "AccessDenied":
                return False
            raise
        return True

    def _policy(self, *, writable: bool) -> dict[str, object]:
        resources = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": [self.key_id]},
                    "Action": [action],
                    "Resource": resources[:1] if action == "s3:ListBucket" else resources[1:],
                }
                for action in (*READ, *(WRITE if writable else ()))
            ],
        }

    def _create_user(self) -> None:
        address = [f"--endpoint-url=https://{self.address}:{PORT}", "--allow-insecure", f"--region={self.region}"]
        root = [f"--access={ROOT_KEY_ID}", f"--secret={ROOT_KEY}"]
        user = [f"--access={self.key_id}", f"--secret={self.key}", "--role=user"]
        command = [str(executable("versitygw")), "admin", *address, *root, "create-user", *user]
        completed = subprocess.run(command, capture_output=True, text=True, check=False)
        output = completed.stdout + completed.stderr
        if completed.returncode and "exist" not in output:
            raise RehearsalError(f"versitygw did not create the user: {output.strip()}")
