"""The Secret with the bucket and keys for etcd snapshots of k3s."""

from typing import Any

import pytest

from infra.settings.loading import SettingsError
from tests.unit.capture import Capture, full_settings, run
from tests.unit.placeholders import PLACEHOLDER

NAME = "k3s-etcd-snapshot-s3-config"
KEYS = ("honeydue:snapshotKeyId", "honeydue:snapshotApplicationKey")


def test_without_a_bucket_there_is_no_secret(example: Capture) -> None:
    assert NAME not in [resource.name for resource in example.registrations]


def test_the_secret_has_the_endpoint_of_the_uploads_and_separate_keys(full_example: Capture) -> None:
    secret = full_example.resource("Secret", NAME).inputs
    assert (secret["metadata"]["namespace"], secret["type"]) == ("kube-system", "etcd.k3s.cattle.io/s3-config-secret")
    assert secret["stringData"] == {
        "etcd-s3-endpoint": "s3.us-east-005.backblazeb2.com",
        "etcd-s3-region": "us-east-005",
        "etcd-s3-bucket": "honeyDueSnapshots",
        "etcd-s3-folder": "etcd",
        "etcd-s3-retention": "84",
        "etcd-s3-access-key": f"{PLACEHOLDER}snapshotKeyId",
        "etcd-s3-secret-key": f"{PLACEHOLDER}snapshotApplicationKey",
    }


@pytest.mark.parametrize("key", KEYS)
def test_a_bucket_requires_its_keys(key: str) -> None:
    settings = {name: value for name, value in full_settings().items() if name != key}
    with pytest.raises(SettingsError, match=rf"{key} is missing .*: pulumi config set --secret {key}"):
        run(settings)


def test_keys_in_plain_text_are_refused() -> None:
    with pytest.raises(SettingsError, match="honeydue:snapshotKeyId is stored in plain text in the stack's file"):
        run(full_settings(), plain_text=["snapshotKeyId"])


@pytest.mark.parametrize(
    ("snapshots", "environment", "expected"),
    [
        ({"bucket": "honeyDueProd"}, {}, "bucket honeyDueProd is that of the uploads"),
        (
            {"bucket": "s3://mine"},
            {},
            r"honeydue:snapshots\.bucket holds 's3://mine': the name of a bucket was expected",
        ),
        ({"bucket": "honeyDueSnapshots"}, {"B2_REGION": ""}, "needs B2_REGION in honeydue:environment"),
        (
            {"bucket": "honeyDueSnapshots"},
            {"B2_ENDPOINT": "https://s3.example.com"},
            "needs B2_ENDPOINT .* to be a host name",
        ),
    ],
)
def test_an_unusable_bucket_is_refused(snapshots: dict[str, str], environment: dict[str, str], expected: str) -> None:
    settings = full_settings()
    current: Any = settings["honeydue:environment"]
    with pytest.raises(SettingsError, match=expected):
        run(settings | {"honeydue:snapshots": snapshots, "honeydue:environment": {**current, **environment}})
