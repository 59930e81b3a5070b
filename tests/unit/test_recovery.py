"""An `up` imports what an interrupted one created without storing it in the state, and nothing of anybody else."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec

from infra.names import LABELS
from ops.__main__ import cli
from ops.resource_types import (
    CLIENT_CERTIFICATE,
    FIREWALL,
    NETWORK,
    PLACEMENT_GROUP,
    PRIMARY_IP,
    RECORD,
    SERVER,
    SSH_KEY,
    SUBNET,
    UNIQUE,
)
from tests.recipes import EXAMPLE
from tests.unit import fake_registry
from tests.unit.capture import Capture
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, HETZNER_TOKEN, ZONE, ZONE_ID, Api, account, edit, served, state
from tests.unit.clouds.cloudflare.requests import CLIENT_CERTIFICATES, result
from tests.unit.clouds.cloudflare.test_certificates import certificate_pem, key_pem
from tests.unit.plans import step, urn
from tests.unit.plugins.engine import provision
from tests.unit.stubs import write_stub
from tests.unit.test_lookups import KEY

# After an import, the plan is empty.
PULUMI = """case "$1" in
preview)
    for argument; do
        test "$previous" != --import-file || cp "$ANSWERS/import" "$argument"
        previous=$argument
    done
    if test -e "$ANSWERS/imported"; then echo '{"steps": []}'; else cat "$ANSWERS/plan"; fi ;;
config) cat "$ANSWERS/config" ;;
import) cp "$5" "$ANSWERS/imported"; echo import >> "$ANSWERS/calls" ;;
stack) case "$2" in export) cat "$ANSWERS/state" ;; history) echo "[]" ;; *) exit 1 ;; esac ;;
*) echo "$*" >> "$ANSWERS/calls" ;;
esac"""
UP = "up --stack prod --yes --skip-preview"
STACK_URN = "urn:pulumi:prod::honeydue::pulumi:pulumi:Stack::honeydue-prod"
NAME, ADDRESS = "new-ipv4", "178.104.247.152"
INPUTS: Mapping[str, Mapping[str, Any]] = {
    PRIMARY_IP: {"name": NAME, "type": "ipv4", "location": "nbg1", "autoDelete": False},
    SERVER: {"name": "node-new", "serverType": "cx33", "image": "ubuntu-24.04", "location": "nbg1"},
    FIREWALL: {"name": "honeydue"},
    SSH_KEY: {"name": "laptop", "publicKey": KEY},
    NETWORK: {"name": "honeydue", "ipRange": "10.0.0.0/24"},
    PLACEMENT_GROUP: {"name": "honeydue", "type": "spread"},
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """Simulated clouds, and a stub of `pulumi` with the plan of a test."""

    clouds: Path
    answers: Path

    @property
    def calls(self) -> list[str]:
        file = self.answers / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def imported(self) -> list[tuple[str, str]]:
        """Types and ids of the imported resources."""
        file = self.answers / "imported"
        entries = json.loads(file.read_text())["resources"] if file.exists() else []
        return [(entry["type"], entry["id"]) for entry in entries]

    def plan_creation(self, type_: str, inputs: Mapping[str, Any], name: str = "new") -> None:
        (self.answers / "plan").write_text(json.dumps({"steps": [step("create", type_, name, inputs=inputs)]}))
        entry = {"type": type_, "name": name, "id": "<PLACEHOLDER>", "parent": "component"}
        names = {"component": "urn:of-a-component"}
        (self.answers / "import").write_text(json.dumps({"nameTable": names, "resources": [entry]}))

    def write_state(self, *pending: Mapping[str, Any]) -> None:
        root = {"urn": STACK_URN, "type": "pulumi:pulumi:Stack"}
        deployment = {"resources": [root], "pending_operations": pending}
        (self.answers / "state").write_text(json.dumps({"deployment": deployment}))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    clouds, answers = tmp_path / "clouds", tmp_path / "answers"
    clouds.mkdir()
    account(clouds)
    write_stub(answers, "pulumi", PULUMI)
    site = Site(clouds=clouds, answers=answers)
    site.write_state()
    nodes = {"new": {"hostname": "node-new"}, "old": {"hostname": "node-old", "ipv4": ADDRESS}}
    texts = {"hetznerToken": HETZNER_TOKEN, "cloudflareToken": CLOUDFLARE_TOKEN}
    config: dict[str, object] = {f"honeydue:{key}": {"value": value} for key, value in texts.items()}
    config |= fake_registry.STORED
    (answers / "config").write_text(json.dumps(config | {"honeydue:nodes": {"objectValue": nodes}}))
    monkeypatch.setenv("PATH", f"{answers}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ANSWERS", str(answers))
    with served(clouds) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield site


def run(command: str = "up", *options: str) -> Result:
    return CliRunner().invoke(cli, [command, "--stack", "prod", *options])


@pytest.mark.parametrize("type_", INPUTS)
def test_a_resource_of_this_stack_is_imported_before_the_plan_is_applied(type_: str, site: Site) -> None:
    id_ = provision(site.clouds, type_, {**INPUTS[type_], "labels": dict(LABELS)})
    site.plan_creation(type_, INPUTS[type_])
    completed = run("up", "--yes")
    assert completed.exit_code == 0, completed.output
    assert site.imported == [(type_, id_)]
    assert site.calls == ["import", UP]
    assert "These exist already, from an up that was interrupted" in completed.output


@pytest.mark.parametrize("type_", INPUTS)
def test_a_resource_without_our_labels_is_shown_and_not_imported(type_: str, site: Site) -> None:
    id_ = provision(site.clouds, type_, {**INPUTS[type_], "labels": {"cluster": "another"}})
    site.plan_creation(type_, INPUTS[type_])
    for command, options in (("up", ["--yes"]), ("preview", [])):
        completed = run(command, *options)
        assert completed.exit_code == 1
        assert f"(id {id_}), but without the label cluster=honeydue" in completed.output
        assert "make adopt imports it" in completed.output
    assert (site.imported, site.calls) == ([], [])


def test_a_subnet_belongs_to_the_stack_if_its_network_does(site: Site) -> None:
    network = provision(site.clouds, NETWORK, {**INPUTS[NETWORK], "labels": dict(LABELS)})
    inputs = {"networkId": int(network), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.0.0/24"}
    provision(site.clouds, SUBNET, inputs)
    site.plan_creation(SUBNET, inputs)
    assert run("up", "--yes").exit_code == 0
    assert site.imported == [(SUBNET, f"{network}-10.0.0.0/24")]


def test_an_equal_record_is_imported(site: Site) -> None:
    inputs = {"zoneId": ZONE_ID, "name": f"api.{ZONE}", "type": "A", "content": ADDRESS, "proxied": True, "ttl": 1}
    id_ = provision(site.clouds, RECORD, inputs)
    site.plan_creation(RECORD, inputs)
    assert run("up", "--yes").exit_code == 0
    assert site.imported == [(RECORD, f"{ZONE_ID}/{id_}")]


def test_the_address_of_the_settings_belongs_to_the_stack_without_labels(site: Site) -> None:
    id_ = provision(site.clouds, PRIMARY_IP, {**INPUTS[PRIMARY_IP], "name": "old-ipv4"})
    edit(site.clouds, "hetzner", "primary_ips", id_, lambda address: address.update(ip=ADDRESS))
    site.plan_creation(PRIMARY_IP, {**INPUTS[PRIMARY_IP], "name": "old-ipv4"}, name="old")
    assert run("up", "--yes").exit_code == 0
    assert site.imported == [(PRIMARY_IP, id_)]


def test_a_server_that_was_not_attached_to_its_network_is_no_node(site: Site) -> None:
    provision(site.clouds, SERVER, {**INPUTS[SERVER], "labels": dict(LABELS)})
    site.plan_creation(SERVER, {**INPUTS[SERVER], "networks": [{"subnetId": "1-10.0.0.0/24", "ip": "10.0.0.14"}]})
    completed = run("up", "--yes")
    assert completed.exit_code == 1
    assert "did not attach it to the private network" in completed.output
    assert site.imported == []


def test_a_preview_reports_what_an_up_would_import_and_changes_nothing(site: Site) -> None:
    provision(site.clouds, PRIMARY_IP, {**INPUTS[PRIMARY_IP], "labels": dict(LABELS)})
    site.plan_creation(PRIMARY_IP, INPUTS[PRIMARY_IP])
    completed = run("preview")
    assert completed.exit_code == 0, completed.output
    assert "  PrimaryIp::new, new-ipv4" in completed.output
    assert (site.imported, site.calls) == ([], [])


def test_a_declined_import_changes_nothing(site: Site) -> None:
    provision(site.clouds, PRIMARY_IP, {**INPUTS[PRIMARY_IP], "labels": dict(LABELS)})
    site.plan_creation(PRIMARY_IP, INPUTS[PRIMARY_IP])
    completed = CliRunner().invoke(cli, ["up", "--stack", "prod"], input="n\n")
    assert completed.exit_code == 0
    assert completed.output.endswith("Declined. Nothing was applied.\n")
    assert (site.imported, site.calls) == ([], [])


def test_a_release_leaves_the_import_to_an_up(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "Pulumi.prod.yaml"
    settings.write_text((EXAMPLE / "Pulumi.prod.yaml").read_text())
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(settings))
    provision(site.clouds, PRIMARY_IP, {**INPUTS[PRIMARY_IP], "labels": dict(LABELS)})
    site.plan_creation(PRIMARY_IP, INPUTS[PRIMARY_IP])
    completed = run("release", "--api", "0a1b2c3d4e", "--yes")
    assert completed.exit_code == 1
    assert "Run make up STACK=prod first, then release" in completed.output
    assert (site.imported, site.calls) == ([], [])


def test_what_does_not_exist_is_created(site: Site) -> None:
    site.plan_creation(PRIMARY_IP, INPUTS[PRIMARY_IP])
    assert run("up", "--yes").exit_code == 0
    assert site.imported == []
    assert site.calls == [UP]
    assert not state(site.clouds, "hetzner").of("primary_ips")


def test_started_creations_are_removed_from_the_state(site: Site) -> None:
    """Otherwise the engine keeps them, and a check for drift would be refused from then on."""
    creation = {"resource": {"urn": urn(PRIMARY_IP, "new"), "type": PRIMARY_IP}, "type": "creating"}
    site.plan_creation(PRIMARY_IP, INPUTS[PRIMARY_IP])
    site.write_state({**creation, "type": "updating"})
    assert run("up", "--yes").exit_code == 0
    site.write_state(creation)
    assert run("up", "--yes").exit_code == 0
    clear = f"refresh --stack prod --non-interactive --yes --skip-preview --clear-pending-creates --target={STACK_URN}"
    assert site.calls == [f"{UP} --refresh --run-program", clear, UP]


@pytest.mark.parametrize("network", ["public", "private"])
def test_every_resource_at_hetzner_has_our_labels(network: str, request: pytest.FixtureRequest) -> None:
    program: Capture = request.getfixturevalue("full_example" if network == "public" else "bootstrapped")
    resources = [resource for resource in program.registrations if resource.type.startswith("hcloud:")]
    assert {resource.type for resource in resources} <= UNIQUE
    assert all(resource.inputs["labels"] == LABELS for resource in resources if resource.type != SUBNET)


def test_the_simulated_hetzner_refuses_each_duplicate(site: Site) -> None:
    api = Api("hetzner", site.clouds)
    for _ in range(2):
        response = api("POST", "/primary_ips", {"name": NAME, "type": "ipv4", "location": "nbg1"})
    assert response.json["error"]["code"] == "uniqueness_error"


def test_an_uploaded_client_certificate_is_refused_with_the_way_to_replace_it(site: Site) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = certificate_pem(key)
    body = {"certificate": pem, "private_key": key_pem(key)}
    id_ = result(Api("cloudflare", site.clouds)("POST", CLIENT_CERTIFICATES, body))["id"]
    site.plan_creation(CLIENT_CERTIFICATE, {"zoneId": ZONE_ID, "certificate": pem})
    refused = run("up", "--yes")
    assert refused.exit_code == 1
    assert f"exists at Cloudflare (id {id_}). It cannot be imported" in refused.output
    assert site.calls == []
