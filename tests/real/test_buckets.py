"""The check of the buckets with versitygw, which has Object Lock and versions, and no lifecycle rules."""

from collections.abc import Iterator

import pytest
from minio.commonconfig import ENABLED
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig

from ops.backups.buckets import dumps_lines, uploads_lines
from ops.status.line import Line, Result
from rehearsal.external.backup_store import ROOT_KEY, ROOT_KEY_ID, BackupStore
from rehearsal.layout import Layout
from rehearsal.processes import processes

KEEP = 60
NAME = "20260131T023000Z.dump.age"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackupStore]:
    layout = Layout(tmp_path_factory.mktemp("store"))
    layout.make_folders()
    result = BackupStore(
        layout=layout,
        address="127.0.77.14",
        hostname="s3.example.com",
        region="us-east-005",
        bucket="honeydue-backups",
        keep=KEEP,
        key_id="cluster",
        key="rehearsal-key-of-the-cluster",
    )
    try:
        result.start()
        yield result
    finally:
        processes.stop(layout)


def lines(store: BackupStore, *, key_id: str = ROOT_KEY_ID, key: str = ROOT_KEY, keep: int = KEEP) -> list[Line]:
    return list(dumps_lines(store.client(key_id, key), store.bucket, keep))


def test_the_default_retention_is_read(store: BackupStore) -> None:
    lock, lifecycle = lines(store)
    assert lock == Line(subject=store.bucket, text="Object Lock keeps each dump for 60 days in mode GOVERNANCE")
    # versitygw has no lifecycle rules.
    assert lifecycle.result is not Result.OK


def test_a_shorter_retention_is_a_problem(store: BackupStore) -> None:
    lock, _ = lines(store, keep=KEEP + 1)
    assert (lock.result, lock.text) == (
        Result.PROBLEM,
        "Object Lock keeps each dump for 60 days in mode GOVERNANCE, less than the 61 days of honeydue:backups.keep",
    )


def test_the_key_of_the_cluster_lacks_the_rights(store: BackupStore) -> None:
    lock, _ = lines(store, key_id=store.key_id, key=store.key)
    assert lock.result is Result.UNCHECKED
    assert "the key needs readBucketRetentions for it" in lock.text


def test_nobody_deletes_a_version_before_its_time(store: BackupStore) -> None:
    client = store.client(ROOT_KEY_ID, ROOT_KEY)
    store.client(store.key_id, store.key).fput_object(store.bucket, NAME, __file__)
    (version,) = client.list_objects(store.bucket, include_version=True)
    with pytest.raises(S3Error, match=r"AccessDenied|ObjectLocked"):
        client.remove_object(store.bucket, NAME, version_id=version.version_id)


def test_a_bucket_without_versions_loses_uploads(store: BackupStore) -> None:
    client = store.client(ROOT_KEY_ID, ROOT_KEY)
    client.make_bucket("uploads")
    before, _ = uploads_lines(client, "uploads")
    assert (before.result, before.text) == (
        Result.PROBLEM,
        "no versioning: a deleted or overwritten object is gone",
    )
    client.set_bucket_versioning("uploads", VersioningConfig(ENABLED))
    after, _ = uploads_lines(client, "uploads")
    assert after.result is Result.OK
    lock, _ = dumps_lines(client, "uploads", KEEP)
    assert lock.result is Result.PROBLEM
    assert "no Object Lock with a default retention" in lock.text
