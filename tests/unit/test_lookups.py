"""Adoption looks up resources with the clients of Hetzner and Cloudflare, against the simulated APIs over HTTP."""

import base64
import socket
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from infra.settings.topology import Node
from ops.adoption.findings import Finding, Status
from ops.adoption.lookups import GENERATED, Lookup, look_up
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.adoption.lookups.hetzner import Hetzner, fingerprint
from ops.engine.sentinels import UNKNOWN
from ops.errors import OpsError
from ops.resource_types import WORKER
from tests.unit.candidates import candidate
from tests.unit.capture import Capture
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, HETZNER_TOKEN, Api, account, served, state
from tests.unit.clouds.cloudflare.requests import CLIENT_CERTIFICATES, result
from tests.unit.clouds.cloudflare.test_certificates import certificate_pem, key_pem
from tests.unit.plugins.engine import provision
from tests.unit.test_lookups_kubernetes import kubernetes

ADDRESS, HOSTNAME = "178.104.247.152", "ubuntu-8gb-nbg1-2"
ZONE, DOMAIN = "023e105f4ecef8ad9ca31a8372d0c353", "myhoneydue.com"
NODES = {
    "hetzner1": Node.model_validate({"hostname": HOSTNAME, "ipv4": ADDRESS}),
    "new": Node.model_validate({"hostname": "new"}),
}
KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519" + b"\0\0\0\x20" + b"k" * 32).decode()
PRIMARY_IP, SERVER, SSH_KEY = (
    "hcloud:index/primaryIp:PrimaryIp",
    "hcloud:index/server:Server",
    "hcloud:index/sshKey:SshKey",
)
NETWORK, SUBNET = "hcloud:index/network:Network", "hcloud:index/networkSubnet:NetworkSubnet"
FIREWALL = "hcloud:index/firewall:Firewall"
RECORD, SETTING = "cloudflare:index/dnsRecord:DnsRecord", "cloudflare:index/zoneSetting:ZoneSetting"
ORIGIN_PULLS = "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings"


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The simulated APIs, with the environment variables that the clients read."""
    account(tmp_path, addresses={HOSTNAME: ADDRESS})
    with served(tmp_path) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield tmp_path


@pytest.fixture
def unreachable_apis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the endpoints of both APIs to a closed port."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("HCLOUD_ENDPOINT", f"{url}/v1")
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", f"{url}/client/v4")


def hetzner(type_: str, alias: str, /, **inputs: object) -> Finding:
    return look_up(candidate(type_, alias, inputs), Hetzner(HETZNER_TOKEN, NODES).lookups)


def cloudflare(type_: str, inputs: Mapping[str, object], *dependencies: str) -> Finding:
    adopted_addresses = {"the address of hetzner1": ADDRESS}
    return look_up(
        candidate(type_, "x", {"zoneId": ZONE, **inputs}, *dependencies),
        Cloudflare(CLOUDFLARE_TOKEN, adopted_addresses.get).lookups,
    )


def create_server(clouds: Path, name: str) -> str:
    return provision(clouds, SERVER, {"name": name, "serverType": "cx33", "image": "ubuntu-24.04", "location": "nbg1"})


def rename_server(clouds: Path, id_: str, name: str) -> None:
    """Renames a server like a user of the console."""
    assert Api("hetzner", clouds)("PUT", f"/servers/{id_}", {"name": name}).status == HTTPStatus.OK


def test_an_ip_is_found_by_address_under_any_name(clouds: Path) -> None:
    create_server(clouds, HOSTNAME)
    (id_,) = (id_ for id_, address in state(clouds, "hetzner").of("primary_ips").items() if address["ip"] == ADDRESS)
    finding = hetzner(PRIMARY_IP, "hetzner1", name="hetzner1-ipv4")
    assert (finding.status, finding.id) == (Status.FOUND, id_)
    assert f"named primary_ip-{id_}" in finding.note


def test_an_ip_without_an_expected_address_is_found_by_name(clouds: Path) -> None:
    assert hetzner(PRIMARY_IP, "new", name="new-ipv4").status is Status.MISSING
    id_ = provision(clouds, PRIMARY_IP, {"name": "new-ipv4", "type": "ipv4", "location": "nbg1", "autoDelete": False})
    assert hetzner(PRIMARY_IP, "new", name="new-ipv4").id == id_


def test_a_server_is_found_by_name_or_address_and_two_matches_are_ambiguous(clouds: Path) -> None:
    assert hetzner(SERVER, "hetzner1", name=HOSTNAME).status is Status.MISSING
    id_ = create_server(clouds, HOSTNAME)
    assert hetzner(SERVER, "hetzner1", name=HOSTNAME).id == id_
    rename_server(clouds, id_, "renamed")
    assert hetzner(SERVER, "hetzner1", name=HOSTNAME).id == id_
    other = create_server(clouds, HOSTNAME)
    both = hetzner(SERVER, "hetzner1", name=HOSTNAME)
    assert both.status is Status.AMBIGUOUS
    assert {f"(id {server_id})" in both.note for server_id in (id_, other)} == {True}


def test_an_ssh_key_is_found_by_fingerprint_and_another_key_of_its_name_is_ambiguous(clouds: Path) -> None:
    other = KEY.replace("a2", "b2")
    provision(clouds, SSH_KEY, {"name": "laptop", "publicKey": other})
    assert hetzner(SSH_KEY, "key-laptop", name="laptop", publicKey=f"{KEY} laptop").status is Status.AMBIGUOUS
    id_ = provision(clouds, SSH_KEY, {"name": "uploaded", "publicKey": KEY})
    assert hetzner(SSH_KEY, "key-laptop", name="laptop", publicKey=f"{KEY} laptop").id == id_
    assert fingerprint(KEY) == state(clouds, "hetzner").of("ssh_keys")[id_]["fingerprint"]


def test_a_firewall_is_found_by_name(clouds: Path) -> None:
    assert hetzner(FIREWALL, "honeydue", name="honeydue").status is Status.MISSING
    id_ = provision(clouds, FIREWALL, {"name": "honeydue"})
    assert hetzner(FIREWALL, "honeydue", name="honeydue").id == id_


def test_another_firewall_of_a_server_is_named(clouds: Path) -> None:
    declared, other = (provision(clouds, FIREWALL, {"name": name}) for name in ("honeydue", "office"))
    inputs = {"name": HOSTNAME, "serverType": "cx33", "image": "ubuntu-24.04", "location": "nbg1"}
    server = provision(clouds, SERVER, {**inputs, "firewallIds": [int(declared), int(other)]})
    ids = {
        f"urn:pulumi:prod::honeydue::{SERVER}::hetzner1": server,
        f"urn:pulumi:prod::honeydue::{FIREWALL}::f": declared,
    }
    assert list(Hetzner(HETZNER_TOKEN, NODES).other_firewalls(ids)) == ["Server::hetzner1: office"]


def create_record(clouds: Path, **changes: object) -> str:
    inputs = {"zoneId": ZONE, "name": f"api.{DOMAIN}", "type": "A", "content": ADDRESS, "proxied": True, "ttl": 1}
    return provision(clouds, RECORD, {**inputs, **changes})


def test_a_network_is_found_by_name_and_a_subnet_by_range(clouds: Path) -> None:
    network = provision(clouds, NETWORK, {"name": "honeydue", "ipRange": "10.0.0.0/24"})
    provision(
        clouds,
        SUBNET,
        {"networkId": int(network), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.0.0/24"},
    )
    assert hetzner(NETWORK, "honeydue", name="honeydue").id == network
    assert hetzner(SUBNET, "nodes", ipRange="10.0.0.0/24").id == f"{network}-10.0.0.0/24"
    assert hetzner(SUBNET, "nodes", ipRange="10.0.1.0/24").status is Status.MISSING


def test_a_record_is_found_by_content_or_by_the_address_that_it_depends_on(clouds: Path) -> None:
    create_record(clouds, content="203.0.113.9")
    unknown = {"name": f"api.{DOMAIN}", "type": "A", "content": UNKNOWN}
    assert cloudflare(RECORD, unknown, "the address of hetzner1").status is Status.MISSING
    id_ = create_record(clouds)
    assert cloudflare(RECORD, unknown, "something else", "the address of hetzner1").id == f"{ZONE}/{id_}"
    assert cloudflare(RECORD, {**unknown, "content": ADDRESS}).id == f"{ZONE}/{id_}"
    assert cloudflare(RECORD, unknown, "the address of a new node").status is Status.MISSING


def test_a_record_that_conflicts_is_ambiguous(clouds: Path) -> None:
    create_record(clouds, type="CNAME", content="elsewhere.example.com")
    assert "is a CNAME record" in cloudflare(RECORD, {"name": f"api.{DOMAIN}", "type": "A", "content": ADDRESS}).note


def test_settings_of_a_zone_always_exist(clouds: Path) -> None:
    provision(clouds, SETTING, {"zoneId": ZONE, "settingId": "ssl", "value": "flexible"})
    ssl = cloudflare(SETTING, {"settingId": "ssl", "value": "strict"})
    assert (ssl.id, ssl.note) == (f"{ZONE}/ssl", "is flexible")
    pulls = cloudflare(ORIGIN_PULLS, {"enabled": True})
    assert (pulls.id, pulls.note) == (ZONE, "is off")


def test_the_status_of_a_client_certificate_is_that_of_the_api(clouds: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    inputs = {"certificate": certificate_pem(key), "private_key": key_pem(key)}
    id_ = result(Api("cloudflare", clouds)("POST", CLIENT_CERTIFICATES, inputs))["id"]
    assert Cloudflare(CLOUDFLARE_TOKEN).client_certificate_status(ZONE, id_) == "pending_deployment"


def test_a_refused_token_is_one_line_with_the_command_that_sets_it(clouds: Path) -> None:
    assert clouds
    with pytest.raises(OpsError, match=r"Hetzner rejects .*pulumi config set --secret honeydue:hetznerToken") as error:
        look_up(candidate(FIREWALL, "x", {"name": "x"}), Hetzner("wrong", NODES).lookups)
    assert "\n" not in str(error.value)
    assert "wrong" not in str(error.value)
    with pytest.raises(OpsError, match=r"Cloudflare rejects .*pulumi config set --secret honeydue:cloudflareToken"):
        look_up(candidate(ORIGIN_PULLS, "x", {"zoneId": ZONE}), Cloudflare("wrong", lambda _: None).lookups)


def test_another_error_has_the_message_of_the_api(clouds: Path) -> None:
    assert clouds
    with pytest.raises(OpsError, match="Cloudflare's API returned 400: Undefined zone setting"):
        cloudflare(SETTING, {"settingId": "no_such_setting"})


@pytest.mark.usefixtures("unreachable_apis")
def test_an_unreachable_api_is_one_line() -> None:
    with pytest.raises(OpsError, match=r"Hetzner's API cannot be reached at http://127\.0\.0\.1"):
        hetzner(FIREWALL, "x", name="x")
    with pytest.raises(OpsError, match=r"Cloudflare's API cannot be reached at http://127\.0\.0\.1"):
        cloudflare(ORIGIN_PULLS, {})


def every_lookup() -> Mapping[str, Lookup]:
    return {
        **GENERATED,
        **Hetzner("", {}).lookups,
        **Cloudflare("x", lambda _: None).lookups,
        **kubernetes().lookups,
    }


def test_every_type_that_the_program_registers_has_a_lookup(program: Capture) -> None:
    lookups = every_lookup()
    types = {
        resource.type
        for resource in program.registrations
        if resource.request.custom and not resource.type.startswith("pulumi:")
    }
    assert {type_ for type_ in types if type_ not in lookups and type_.partition(":")[0] not in lookups} == set()


def test_a_type_without_a_lookup_is_an_error_with_its_name() -> None:
    with pytest.raises(OpsError, match="there is no lookup for type hcloud:index/volume:Volume"):
        look_up(candidate("hcloud:index/volume:Volume", "x", {}), every_lookup())


def test_generated_resources_are_skipped_with_a_reason() -> None:
    job = {"metadata": {"annotations": {"pulumi.com/autonamed": "true"}}}
    for type_, inputs in {
        "tls:index/privateKey:PrivateKey": {},
        "kubernetes:core/v1:ServiceAccountPatch": {},
        "kubernetes:batch/v1:Job": job,
        "cloudflare:index/originCaCertificate:OriginCaCertificate": {},
        **{type_: {} for type_ in WORKER},
    }.items():
        finding = look_up(candidate(type_, "x", inputs), every_lookup())
        assert finding.status is Status.SKIPPED, type_
        assert finding.note
