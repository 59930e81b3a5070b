"""The check of the buckets: what a bucket may not do, and which right is missing if it cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from unittest.mock import Mock

import pytest
from minio.error import S3Error
from minio.lifecycleconfig import LifecycleConfig
from minio.objectlockconfig import ObjectLockConfig
from minio.versioningconfig import VersioningConfig
from minio.xml import unmarshal
from urllib3.exceptions import MaxRetryError

from ops.backups.buckets import dumps_lines, uploads_lines
from ops.status.line import Line, Result

KEEP = 60
DUMPS, UPLOADS = "honeydue-backups", "uploads"
LOCK = "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode>{}</DefaultRetention></Rule>"
KEPT = LOCK.format(f"<Days>{KEEP}</Days>")
CANCEL = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"


def hide(days: int) -> str:
    return f"<Expiration><Days>{days}</Days></Expiration>"


def delete(days: int) -> str:
    return f"<NoncurrentVersionExpiration><NoncurrentDays>{days}</NoncurrentDays></NoncurrentVersionExpiration>"


DELETE_MARKERS = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
"""Backblaze returns it beside each rule that hides."""
DATE = "<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>"


def denied(code: str = "AccessDenied") -> S3Error:
    return S3Error(Mock(), code, "", "", "", "")


@dataclass(kw_only=True)
class Store:
    """A bucket with these answers: the inner XML of each document, or the error."""

    lock: str | Exception = KEPT
    versioning: str | Exception = "<Status>Enabled</Status>"
    rules: Sequence[str] | Exception | None = field(
        default_factory=lambda: [hide(KEEP), DELETE_MARKERS, delete(28), CANCEL]
    )
    status: str = "Enabled"

    def get_object_lock_config(self, bucket_name: str) -> ObjectLockConfig:
        assert bucket_name == DUMPS
        if isinstance(self.lock, Exception):
            raise self.lock
        text = f"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{self.lock}"
        return unmarshal(ObjectLockConfig, f"{text}</ObjectLockConfiguration>")

    def get_bucket_versioning(self, bucket_name: str) -> VersioningConfig:
        assert bucket_name == UPLOADS
        if isinstance(self.versioning, Exception):
            raise self.versioning
        return unmarshal(VersioningConfig, f"<VersioningConfiguration>{self.versioning}</VersioningConfiguration>")

    def get_bucket_lifecycle(self, bucket_name: str) -> LifecycleConfig | None:
        assert bucket_name in {DUMPS, UPLOADS}
        if self.rules is None:
            return None
        if isinstance(self.rules, Exception):
            raise self.rules
        rules = "".join(
            f"<Rule><ID>{number}</ID><Filter><Prefix/></Filter><Status>{self.status}</Status>{text}</Rule>"
            for number, text in enumerate(self.rules)
        )
        return unmarshal(LifecycleConfig, f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>")


def of_dumps(store: Store) -> list[Line]:
    return list(dumps_lines(store, DUMPS, KEEP))


def of_uploads(store: Store) -> list[Line]:
    return list(uploads_lines(store, UPLOADS))


def test_a_bucket_that_keeps_dumps_is_well() -> None:
    assert of_dumps(Store()) == [
        Line(subject=DUMPS, text="Object Lock keeps each dump for 60 days in mode GOVERNANCE"),
        Line(subject=DUMPS, text="the lifecycle rules keep each dump for at least 60 days"),
    ]
    assert {line.result for line in of_dumps(Store(lock=LOCK.format("<Years>1</Years>")))} == {Result.OK}


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_the_mode_of_object_lock_is_shown(mode: str) -> None:
    lock, _ = of_dumps(Store(lock=KEPT.replace("GOVERNANCE", mode)))
    assert (lock.result, lock.text) == (Result.OK, f"Object Lock keeps each dump for 60 days in mode {mode}")


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (Store(lock=""), "no Object Lock with a default retention"),
        (Store(lock=denied("ObjectLockConfigurationNotFoundError")), "no Object Lock with a default retention"),
        (
            Store(lock=LOCK.format("<Days>59</Days>")),
            "in mode GOVERNANCE, less than the 60 days of honeydue:backups.keep",
        ),
        (Store(rules=(hide(59), CANCEL)), "a rule hides dumps after 59 days, before the 60 days"),
        (Store(rules=(DATE, CANCEL)), "a rule hides dumps on a date"),
        (Store(rules=(delete(27), CANCEL)), "a rule deletes hidden objects after 27 days, less than 28"),
        (Store(rules=(hide(60),)), "no rule cancels unfinished uploads"),
        (Store(rules=None), "no rule cancels unfinished uploads"),
    ],
)
def test_a_bucket_that_loses_dumps_is_a_problem(store: Store, expected: str) -> None:
    (line,) = (line for line in of_dumps(store) if line.result is not Result.OK)
    assert line.result is Result.PROBLEM
    assert expected in line.text


def test_a_disabled_rule_does_nothing() -> None:
    (_, line) = of_dumps(Store(rules=(hide(1), delete(1), CANCEL), status="Disabled"))
    assert "no rule cancels unfinished uploads" in line.text


def test_a_missing_right_is_named_and_is_no_problem_of_the_bucket() -> None:
    lines = [*of_dumps(Store(lock=denied(), rules=denied())), *of_uploads(Store(versioning=denied(), rules=denied()))]
    assert {line.result for line in lines} == {Result.UNCHECKED}
    assert [line.text for line in lines] == [
        "Object Lock could not be read (AccessDenied): the key needs readBucketRetentions for it",
        "lifecycle could not be read (AccessDenied): the key needs readBuckets for it",
        "versioning could not be read (AccessDenied): the key needs readBuckets for it",
        "lifecycle could not be read (AccessDenied): the key needs readBuckets for it",
    ]


@pytest.mark.parametrize(
    ("error", "expected"),
    [(denied("NotImplemented"), "(NotImplemented)"), (MaxRetryError(Mock(), "/"), "(MaxRetryError)")],
)
def test_a_store_that_does_not_answer_is_unchecked(error: Exception, expected: str) -> None:
    (_, line) = of_dumps(Store(rules=error))
    assert (line.result, line.text) == (Result.UNCHECKED, f"lifecycle could not be read {expected}")


def test_uploads_are_kept_with_their_versions() -> None:
    assert {line.result for line in of_uploads(Store(rules=None))} == {Result.OK}
    assert {line.result for line in of_uploads(Store(rules=(delete(28), CANCEL)))} == {Result.OK}


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (Store(rules=None, versioning=""), "no versioning"),
        (Store(rules=None, versioning="<Status>Suspended</Status>"), "no versioning"),
        (Store(rules=(hide(365),)), "a rule hides uploads by their age"),
        (Store(rules=(delete(1),)), "a rule deletes hidden objects after 1 days"),
    ],
)
def test_a_bucket_that_loses_uploads_is_a_problem(store: Store, expected: str) -> None:
    (line,) = (line for line in of_uploads(store) if line.result is not Result.OK)
    assert line.result is Result.PROBLEM
    assert expected in line.text
