"""The Secret by which k3s finds the bucket for etcd's snapshots."""

from typing import Any

import pytest

from infra.settings.loading import SettingsError
from tests.unit.capture import PLACEHOLDER, Capture, equipped_settings, run

NAME = "k3s-etcd-snapshot-s3-config"
KEYS = ("honeydue:snapshotKeyId", "honeydue:snapshotApplicationKey")


def test_without_a_bucket_there_is_none(example: Capture) -> None:
    assert NAME not in [one.name for one in example.registrations]


def test_k3s_finds_the_bucket_at_the_store_of_the_uploads_with_a_key_of_its_own(equipped: Capture) -> None:
    secret = equipped.one("Secret", NAME).inputs
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
def test_a_bucket_needs_its_keys(key: str) -> None:
    settings = {name: value for name, value in equipped_settings().items() if name != key}
    with pytest.raises(SettingsError, match=rf"{key} is missing .*: pulumi config set --secret {key}"):
        run(settings)


def test_keys_in_plain_text_are_refused() -> None:
    with pytest.raises(SettingsError, match="honeydue:snapshotKeyId is stored in plain text in the stack's file"):
        run(equipped_settings(), plain_text=["snapshotKeyId"])


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
def test_a_bucket_that_k3s_could_not_use_is_refused(
    snapshots: dict[str, str], environment: dict[str, str], expected: str
) -> None:
    settings = equipped_settings()
    held: Any = settings["honeydue:environment"]
    with pytest.raises(SettingsError, match=expected):
        run(settings | {"honeydue:snapshots": snapshots, "honeydue:environment": {**held, **environment}})
