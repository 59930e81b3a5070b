"""Whether the buckets of the dumps and of the uploads keep what was stored, also from a stolen key.

Backblaze returns its lifecycle rules as those of S3: `hide` as Expiration, `delete` as NoncurrentVersionExpiration
(https://www.backblaze.com/apidocs/s3-get-lifecycle-configuration).
"""

import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import urllib3
from minio import Minio
from minio.commonconfig import ENABLED
from minio.error import MinioException, S3Error
from minio.lifecycleconfig import LifecycleConfig
from minio.lifecycleconfig import Rule as LifecycleRule
from minio.objectlockconfig import YEARS, ObjectLockConfig
from minio.versioningconfig import VersioningConfig
from urllib3.exceptions import HTTPError

from infra.settings.apps import STORE_ENDPOINT, STORE_REGION, UPLOADS_BUCKET
from infra.settings.backups import ALERT_TO_EXPIRY_WEEKS
from infra.settings.schema import Settings
from ops.errors import OpsError
from ops.status.line import Line, checked, problem

RETURN_DAYS = 7 * ALERT_TO_EXPIRY_WEEKS
"""For how long a hidden or overwritten object must be restorable."""
DAYS_OF_A_YEAR = 365
TIMEOUT = urllib3.Timeout(connect=5, read=20)
STORE_ERRORS = (MinioException, HTTPError, OSError, ET.ParseError, ValueError)
"""What the client raises for a store that refuses a request, does not respond, or answers something else."""
RETENTIONS, METADATA = "readBucketRetentions", "readBuckets"
"""Capabilities of an application key (https://www.backblaze.com/docs/cloud-storage-s3-compatible-app-keys)."""


class Client(Protocol):
    """What is read of a bucket."""

    def get_object_lock_config(self, bucket_name: str) -> ObjectLockConfig: ...

    def get_bucket_versioning(self, bucket_name: str) -> VersioningConfig: ...

    def get_bucket_lifecycle(self, bucket_name: str) -> LifecycleConfig | None: ...


def store_client(settings: Settings, key_id: str, key: str) -> Minio:
    """A client of the object store of the settings, with this application key."""
    return Minio(
        settings.environment[STORE_ENDPOINT],
        key_id,
        key,
        region=settings.environment[STORE_REGION],
        http_client=urllib3.PoolManager(ca_certs=os.environ.get("SSL_CERT_FILE"), retries=False, timeout=TIMEOUT),
    )


def bucket_lines(settings: Settings) -> Iterator[Line]:
    """The lines about both buckets, with the operator's key in the environment."""
    client = store_client(settings, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    if settings.backups:
        yield from dumps_lines(client, settings.backups.bucket, settings.backups.keep)
    if uploads := settings.environment.get(UPLOADS_BUCKET):
        yield from uploads_lines(client, uploads)


def dumps_lines(client: Client, bucket: str, keep: int) -> Iterator[Line]:
    """Object Lock, and rules that expire no dump before `keep` days: they only know the age of an object."""
    yield from _readable(
        bucket, "Object Lock", RETENTIONS, lambda: _lock_lines(bucket, client.get_object_lock_config(bucket), keep)
    )
    yield from _readable(
        bucket, "lifecycle", METADATA, lambda: _dumps_lifecycle(bucket, client.get_bucket_lifecycle(bucket), keep)
    )


def uploads_lines(client: Client, bucket: str) -> Iterator[Line]:
    """Versions, and rules that hide no upload and keep a deleted one for a while."""
    yield from _readable(
        bucket, "versioning", METADATA, lambda: _versioning_lines(bucket, client.get_bucket_versioning(bucket))
    )
    yield from _readable(
        bucket, "lifecycle", METADATA, lambda: _uploads_lifecycle(bucket, client.get_bucket_lifecycle(bucket))
    )


def _readable(bucket: str, what: str, capability: str, lines: Callable[[], Iterable[Line]]) -> Iterator[Line]:
    """The lines, or one with the reason why they could not be read."""

    def read() -> Iterable[Line]:
        try:
            return list(lines())
        except S3Error as error:
            if error.code == "ObjectLockConfigurationNotFoundError":
                return _lock_lines(bucket, None, 0)
            hint = f": the key needs {capability} for it" if error.code == "AccessDenied" else ""
            raise OpsError(f"{what} could not be read ({error.code}){hint}") from None
        except STORE_ERRORS as error:
            raise OpsError(f"{what} could not be read ({type(error).__name__})") from None

    yield from checked(bucket, read)


def _lock_lines(bucket: str, config: ObjectLockConfig | None, keep: int) -> Iterator[Line]:
    if config is None or config.duration is None:
        yield problem(
            bucket, "no Object Lock with a default retention: a stolen key could delete all dumps (docs/backups.md)"
        )
        return
    days = config.duration * (DAYS_OF_A_YEAR if config.duration_unit == YEARS else 1)
    text = f"Object Lock keeps each dump for {days} days in mode {config.mode}"
    if days < keep:
        yield problem(bucket, f"{text}, less than the {keep} days of honeydue:backups.keep")
    else:
        yield Line(subject=bucket, text=text)


def _versioning_lines(bucket: str, config: VersioningConfig) -> Iterator[Line]:
    if config.status == ENABLED:
        yield Line(subject=bucket, text="versions are kept: a deleted or overwritten object can be restored")
    else:
        yield problem(bucket, "no versioning: a deleted or overwritten object is gone")


def _dumps_lifecycle(bucket: str, config: LifecycleConfig | None, keep: int) -> Iterator[Line]:
    problems = []
    for rule in _enabled(config):
        if rule.expiration and rule.expiration.date:
            problems.append("a rule hides dumps on a date")
        hidden = rule.expiration.days if rule.expiration else None
        if hidden is not None and hidden < keep:
            problems.append(
                f"a rule hides dumps after {hidden} days, before the {keep} days of honeydue:backups.keep: also the "
                "newest one, if no dump is written any more"
            )
    problems += _returns(config)
    if not any(rule.abort_incomplete_multipart_upload for rule in _enabled(config)):
        problems.append("no rule cancels unfinished uploads, which are invisible and cost as much as others")
    yield from (problem(bucket, text) for text in problems)
    if not problems:
        yield Line(subject=bucket, text=f"the lifecycle rules keep each dump for at least {keep} days")


def _uploads_lifecycle(bucket: str, config: LifecycleConfig | None) -> Iterator[Line]:
    problems = [
        "a rule hides uploads by their age"
        for rule in _enabled(config)
        if rule.expiration and (rule.expiration.days is not None or rule.expiration.date)
    ]
    problems += _returns(config)
    yield from (problem(bucket, text) for text in problems)
    if not problems:
        yield Line(subject=bucket, text="the lifecycle rules hide no upload")


def _returns(config: LifecycleConfig | None) -> Iterator[str]:
    for rule in _enabled(config):
        expiration = rule.noncurrent_version_expiration
        if expiration and expiration.noncurrent_days is not None and expiration.noncurrent_days < RETURN_DAYS:
            yield (
                f"a rule deletes hidden objects after {expiration.noncurrent_days} days, less than {RETURN_DAYS}: any "
                "key that may write can hide objects, and nobody may notice in time"
            )


def _enabled(config: LifecycleConfig | None) -> Iterator[LifecycleRule]:
    if config:
        yield from (rule for rule in config.rules if rule.status == ENABLED)
