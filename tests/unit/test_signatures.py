"""Signatures are checked once there is a key, and not before."""

from typing import Any

import pytest
import yaml

from infra.settings.loading import SettingsError
from tests.unit.capture import COSIGN_KEY, Capture, example_settings, run
from tests.unit.manifests import manifests, of

LABEL = "securesystemsengineering.connaisseur/webhook"


@pytest.fixture(scope="module")
def signed() -> Capture:
    return run(example_settings() | {"honeydue:cosignPublicKey": COSIGN_KEY})


def namespace_labels(program: Capture) -> Any:
    return program.one("Namespace", "honeydue").inputs["metadata"]["labels"]


def test_without_a_key_nothing_is_installed(example: Capture) -> None:
    assert not [one.urn for one in example.registrations if one.kind == "HelmChart" or "connaisseur" in one.name]
    assert LABEL not in namespace_labels(example)


def test_with_a_key_our_images_are_checked_by_it_and_strangers_refused(signed: Capture) -> None:
    (chart,) = of(manifests(signed), "HelmChart")
    assert chart["spec"]["version"] == "2.7.1"
    application = yaml.safe_load(chart["spec"]["valuesContent"])["application"]
    validators = {one["name"]: one for one in application["validators"]}
    assert {one["pattern"]: validators[one["validator"]]["type"] for one in application["policy"]} == {
        "*:*": "static",
        "gitea.treytartt.com/admin/*:*": "cosign",
        "docker.io/library/redis:*": "static",
    }
    assert validators["ours"]["trustRoots"] == [{"name": "default", "key": COSIGN_KEY}]
    assert application["policy"][0] == {"pattern": "*:*", "validator": "deny"}
    assert validators["deny"]["approve"] is False
    assert namespace_labels(signed)[LABEL] == "validate"


def test_the_login_stays_secret_and_comes_first(signed: Capture) -> None:
    login = signed.one("Secret", "connaisseur-registry")
    assert login.urn in signed.one("HelmChart", "connaisseur").request.dependencies
    assert "4dabf18193072939515e22adb298388d" in str(login.request.object.fields["stringData"])


def test_what_is_no_key_is_named() -> None:
    with pytest.raises(SettingsError, match=r"honeydue:cosignPublicKey.*a public key as in cosign\.pub"):
        run(example_settings() | {"honeydue:cosignPublicKey": "-----BEGIN PRIVATE KEY-----"})
