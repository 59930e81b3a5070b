"""Image signatures are checked if the settings contain a public key."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings.loading import SettingsError
from rehearsal.layout import CHECKOUT
from tests.unit.capture import COSIGN_KEY, Capture, example_settings, run
from tests.unit.manifests import manifests, of_kind
from tests.unit.registrations import SECRET_SIGNATURE

LABEL = "securesystemsengineering.connaisseur/webhook"


@pytest.fixture(scope="module")
def signed() -> Capture:
    return run(example_settings() | {"honeydue:cosignPublicKey": COSIGN_KEY})


def namespace_labels(program: Capture) -> Any:
    return program.resource("Namespace", "honeydue").inputs["metadata"]["labels"]


def test_without_a_key_connaisseur_is_not_installed(example: Capture) -> None:
    assert not [
        resource.urn
        for resource in example.registrations
        if resource.kind == "HelmChart" or "connaisseur" in resource.name
    ]
    assert LABEL not in namespace_labels(example)


def test_with_a_key_every_image_but_redis_is_verified(signed: Capture) -> None:
    (chart,) = of_kind(manifests(signed), "HelmChart")
    assert chart["spec"]["version"] == "2.7.1"
    application = yaml.safe_load(chart["spec"]["valuesContent"])["application"]
    validators = {validator["name"]: validator for validator in application["validators"]}
    assert {rule["pattern"]: validators[rule["validator"]]["type"] for rule in application["policy"]} == {
        "*:*": "cosign",
        "docker.io/library/redis:*": "static",
    }
    (ours,) = (rule for rule in application["policy"] if rule["validator"] == "ours")
    assert ours["with"] == {"verifyInTransparencyLog": False, "verifySCT": False}
    assert validators["ours"]["trustRoots"] == [{"name": "default", "key": COSIGN_KEY}]
    assert validators["allow"]["approve"] is True
    assert namespace_labels(signed)[LABEL] == "validate"


def test_another_registry_does_not_change_the_chart(signed: Capture) -> None:
    """helm-controller would apply the change with a delay. Until then, new pods would be refused."""
    images = {**signed.settings["honeydue:images"], "registry": "docker.io/honeydue"}
    changed = run({**signed.settings, "honeydue:images": images})
    chart, other = (capture.resource("HelmChart", "connaisseur") for capture in (signed, changed))
    assert other.inputs == chart.inputs


def test_the_chart_depends_on_the_registry_login_which_is_secret(signed: Capture) -> None:
    login = signed.resource("Secret", "connaisseur-registry")
    assert login.urn in signed.resource("HelmChart", "connaisseur").request.dependencies
    assert SECRET_SIGNATURE in str(login.request.object.fields["stringData"])


def test_the_documented_command_stores_the_signature_where_the_verifier_looks_for_it() -> None:
    recorded = json.loads((Path(__file__).parent / "recorded" / "cosign-signature.json").read_text())
    documented = " ".join((CHECKOUT / "docs" / "architecture.md").read_text().replace("\\\n", "").split())
    assert documented.count("cosign sign ") == documented.count(f"{recorded['command']} ") == 1
    assert f"cosign {recorded['cosign']}" in documented
    # Connaisseur requests this tag and reads layers of this type.
    assert recorded["digest"].replace(":", "-") + ".sig" in recorded["tags"]
    media_types = {layer["mediaType"] for layer in recorded["manifest"]["layers"]}
    assert media_types == {"application/vnd.dev.cosign.simplesigning.v1+json"}


def test_an_invalid_public_key_is_an_error_with_its_key() -> None:
    with pytest.raises(SettingsError, match=r"honeydue:cosignPublicKey.*a public key as in cosign\.pub"):
        run(example_settings() | {"honeydue:cosignPublicKey": "-----BEGIN PRIVATE KEY-----"})
