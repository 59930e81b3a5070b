"""Settings of signatures and digests: the cluster verifies no signature, and can require digests."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, get_args

import pytest

from infra.settings.apps import App
from infra.settings.loading import SettingsError
from tests.unit.capture import Capture, example_settings, full_settings, run
from tests.unit.placeholders import COSIGN_KEY

DIGEST = f"sha256:{'0' * 64}"
OURS: Sequence[str] = get_args(App)


def pinned(*apps: str) -> dict[str, object]:
    """The example settings with a digest for these images."""
    settings = example_settings()
    images = settings["honeydue:images"]
    assert isinstance(images, dict)
    tags = {app: str(images[app]).partition("@")[0] for app in OURS}
    digests = {app: f"{tag}@{DIGEST}" if app in apps else tag for app, tag in tags.items()}
    return {**settings, "honeydue:images": {**images, **digests}}


def pod_rules(program: Capture) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = program.resource("ValidatingAdmissionPolicy", "honeydue-pods").inputs["spec"][
        "validations"
    ]
    return rules


def test_a_key_adds_nothing_to_the_cluster_and_is_recorded(example: Capture) -> None:
    signed = run(example_settings() | {"honeydue:cosignPublicKey": COSIGN_KEY})
    assert {resource.urn for resource in signed.registrations} == {resource.urn for resource in example.registrations}
    (component,) = (item for item in signed.registrations if item.name == "signatures")
    assert component.request.object.fields["publicKey"].string_value == COSIGN_KEY.strip()


def test_an_invalid_public_key_is_an_error_with_its_key() -> None:
    with pytest.raises(SettingsError, match=r"honeydue:cosignPublicKey.*a public key as in cosign\.pub"):
        run(example_settings() | {"honeydue:cosignPublicKey": "-----BEGIN PRIVATE KEY-----"})


def test_the_cluster_requires_digests_only_with_the_setting() -> None:
    without, required = (run({**pinned(*OURS), "honeydue:requireDigests": value}) for value in ("false", "true"))
    assert len(pod_rules(required)) == len(pod_rules(without)) + 1
    (rule,) = (rule for rule in pod_rules(required) if "needs a digest" in str(rule.get("messageExpression")))
    assert rule["expression"].startswith("variables.newImages.all(")


def test_digests_cannot_be_required_before_every_image_has_one() -> None:
    with pytest.raises(SettingsError) as error:
        run({**pinned("api", "worker"), "honeydue:requireDigests": "true"})
    assert "honeydue:requireDigests" in str(error.value)
    assert "needs a digest in honeydue:images for admin, web" in str(error.value)
    assert "make release ADMIN=" in str(error.value)


def test_digests_cannot_be_required_before_the_image_of_dumps_has_one() -> None:
    full = full_settings()
    backups = full["honeydue:backups"]
    assert isinstance(backups, dict)
    for tag, expected in (
        (backups["image"], pytest.raises(SettingsError, match="needs a digest in honeydue:backups")),
        (f"{backups['image']}@{DIGEST}", nullcontext()),
    ):
        settings = {**full, "honeydue:images": pinned(*OURS)["honeydue:images"]}
        settings |= {"honeydue:backups": {**backups, "image": tag}, "honeydue:requireDigests": "true"}
        with expected:
            run(settings)
