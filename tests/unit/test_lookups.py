"""What an adoption finds, by the vendors' own clients: they ask the simulated clouds over HTTP, as they would ask the vendors."""

import base64
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.settings.topology import Node
from ops.adoption.findings import Finding, Status
from ops.adoption.lookups import GENERATED, Lookup, look_up
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.adoption.lookups.hetzner import Hetzner, fingerprint
from ops.engine.sentinels import UNKNOWN
from ops.errors import OpsError
from rehearsal.clouds import api
from rehearsal.clouds.account import Account, write_account
from rehearsal.clouds.existing import provision, state
from rehearsal.clouds.store import Store
from tests.unit.candidates import candidate
from tests.unit.capture import Capture
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
TOKENS = api.Tokens(hetzner="hetzner-token", cloudflare="cloudflare-token")


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Clouds that answer the vendors' clients."""
    write_account(tmp_path, Account(addresses={HOSTNAME: ADDRESS}, zones={DOMAIN: ZONE}))
    with api.serving(tmp_path, TOKENS) as endpoints:
        for name, value in endpoints.items():
            monkeypatch.setenv(name, value)
        yield tmp_path


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both vendors' APIs where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("HCLOUD_ENDPOINT", f"{url}/v1")
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", f"{url}/client/v4")


def hetzner(type_: str, alias: str, /, **inputs: object) -> Finding:
    return look_up(candidate(type_, alias, inputs), Hetzner(TOKENS.hetzner, NODES).lookups)


def cloudflare(type_: str, inputs: Mapping[str, object], *dependencies: str) -> Finding:
    known = {"the address of hetzner1": ADDRESS}
    return look_up(
        candidate(type_, "x", {"zoneId": ZONE, **inputs}, *dependencies),
        Cloudflare(TOKENS.cloudflare, known.get).lookups,
    )


def order(clouds: Path, name: str) -> str:
    return provision(clouds, SERVER, {"name": name, "serverType": "cx33", "image": "ubuntu-24.04", "location": "nbg1"})


def rename(clouds: Path, id_: str, name: str) -> None:
    """In the console, where the simulation's own rules do not look."""
    with Store(clouds / "hcloud.json").transaction() as held:
        held.of(SERVER)[id_]["name"] = name


def test_an_address_is_found_by_itself_whatever_it_is_called(clouds: Path) -> None:
    order(clouds, HOSTNAME)
    (id_,) = (id_ for id_, live in state(clouds, "hcloud").of(PRIMARY_IP).items() if live["ipAddress"] == ADDRESS)
    found = hetzner(PRIMARY_IP, "hetzner1", name="hetzner1-ipv4")
    assert (found.status, found.id) == (Status.FOUND, id_)
    assert f"named primary_ip-{id_}" in found.note


def test_an_address_that_nobody_expects_is_found_by_name(clouds: Path) -> None:
    assert hetzner(PRIMARY_IP, "new", name="new-ipv4").status is Status.MISSING
    id_ = provision(clouds, PRIMARY_IP, {"name": "new-ipv4", "type": "ipv4", "location": "nbg1", "autoDelete": False})
    assert hetzner(PRIMARY_IP, "new", name="new-ipv4").id == id_


def test_a_server_is_found_by_name_or_address_and_two_that_fit_are_for_a_person(clouds: Path) -> None:
    assert hetzner(SERVER, "hetzner1", name=HOSTNAME).status is Status.MISSING
    id_ = order(clouds, HOSTNAME)
    assert hetzner(SERVER, "hetzner1", name=HOSTNAME).id == id_
    rename(clouds, id_, "renamed")
    assert hetzner(SERVER, "hetzner1", name=HOSTNAME).id == id_
    other = order(clouds, HOSTNAME)
    both = hetzner(SERVER, "hetzner1", name=HOSTNAME)
    assert both.status is Status.AMBIGUOUS
    assert {f"(id {one})" in both.note for one in (id_, other)} == {True}


def test_a_key_is_found_by_the_key_and_another_of_its_name_is_for_a_person(clouds: Path) -> None:
    other = KEY.replace("a2", "b2")
    provision(clouds, SSH_KEY, {"name": "laptop", "publicKey": other})
    assert hetzner(SSH_KEY, "key-laptop", name="laptop", publicKey=f"{KEY} laptop").status is Status.AMBIGUOUS
    id_ = provision(clouds, SSH_KEY, {"name": "uploaded", "publicKey": KEY})
    assert hetzner(SSH_KEY, "key-laptop", name="laptop", publicKey=f"{KEY} laptop").id == id_
    assert fingerprint(KEY) == state(clouds, "hcloud").of(SSH_KEY)[id_]["fingerprint"]


def test_what_has_but_a_name_is_found_by_it(clouds: Path) -> None:
    assert hetzner(FIREWALL, "honeydue", name="honeydue").status is Status.MISSING
    id_ = provision(clouds, FIREWALL, {"name": "honeydue"})
    assert hetzner(FIREWALL, "honeydue", name="honeydue").id == id_


def record(clouds: Path, **changes: object) -> str:
    inputs = {"zoneId": ZONE, "name": f"api.{DOMAIN}", "type": "A", "content": ADDRESS, "proxied": True, "ttl": 1}
    return provision(clouds, RECORD, {**inputs, **changes})


def test_a_network_is_found_by_its_name_and_a_subnet_by_its_range(clouds: Path) -> None:
    network = provision(clouds, NETWORK, {"name": "honeydue", "ipRange": "10.0.0.0/24"})
    provision(
        clouds,
        SUBNET,
        {"networkId": int(network), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.0.0/24"},
    )
    assert hetzner(NETWORK, "honeydue", name="honeydue").id == network
    assert hetzner(SUBNET, "nodes", ipRange="10.0.0.0/24").id == f"{network}-10.0.0.0/24"
    assert hetzner(SUBNET, "nodes", ipRange="10.0.1.0/24").status is Status.MISSING


def test_a_record_is_found_by_its_content_which_may_be_an_address_yet_to_be_adopted(clouds: Path) -> None:
    record(clouds, content="203.0.113.9")
    unknown = {"name": f"api.{DOMAIN}", "type": "A", "content": UNKNOWN}
    assert cloudflare(RECORD, unknown, "the address of hetzner1").status is Status.MISSING
    id_ = record(clouds)
    assert cloudflare(RECORD, unknown, "something else", "the address of hetzner1").id == f"{ZONE}/{id_}"
    assert cloudflare(RECORD, {**unknown, "content": ADDRESS}).id == f"{ZONE}/{id_}"
    assert cloudflare(RECORD, unknown, "the address of a new node").status is Status.MISSING


def test_a_record_that_cannot_be_made_is_for_a_person(clouds: Path) -> None:
    record(clouds, type="CNAME", content="elsewhere.example.com")
    assert "is a CNAME record" in cloudflare(RECORD, {"name": f"api.{DOMAIN}", "type": "A", "content": ADDRESS}).note


def test_settings_of_the_zone_are_always_there(clouds: Path) -> None:
    provision(clouds, SETTING, {"zoneId": ZONE, "settingId": "ssl", "value": "flexible"})
    ssl = cloudflare(SETTING, {"settingId": "ssl", "value": "strict"})
    assert (ssl.id, ssl.note) == (f"{ZONE}/ssl", "is flexible")
    pulls = cloudflare(ORIGIN_PULLS, {"enabled": True})
    assert (pulls.id, pulls.note) == (ZONE, "is off")


def test_a_refused_token_is_one_line_with_the_command_that_sets_it(clouds: Path) -> None:
    assert clouds
    with pytest.raises(OpsError, match=r"Hetzner rejects .*pulumi config set --secret honeydue:hetznerToken") as error:
        look_up(candidate(FIREWALL, "x", {"name": "x"}), Hetzner("wrong", NODES).lookups)
    assert "\n" not in str(error.value)
    assert "wrong" not in str(error.value)
    with pytest.raises(OpsError, match=r"Cloudflare rejects .*pulumi config set --secret honeydue:cloudflareToken"):
        look_up(candidate(ORIGIN_PULLS, "x", {"zoneId": ZONE}), Cloudflare("wrong", lambda _: None).lookups)


def test_another_error_is_told_in_the_vendors_words(clouds: Path) -> None:
    assert clouds
    with pytest.raises(OpsError, match="Cloudflare's API returned 400: Undefined zone setting"):
        cloudflare(SETTING, {"settingId": "no_such_setting"})


@pytest.mark.usefixtures("away")
def test_an_api_out_of_reach_is_one_line() -> None:
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


def test_there_is_a_way_to_find_whatever_the_program_declares(program: Capture) -> None:
    known = every_lookup()
    types = {one.type for one in program.registrations if one.request.custom and not one.type.startswith("pulumi:")}
    assert {type_ for type_ in types if type_ not in known and type_.partition(":")[0] not in known} == set()


def test_a_type_that_cannot_be_found_is_named() -> None:
    with pytest.raises(OpsError, match="there is no lookup for type hcloud:index/volume:Volume"):
        look_up(candidate("hcloud:index/volume:Volume", "x", {}), every_lookup())


def test_what_exists_nowhere_else_is_left_out_with_the_reason() -> None:
    job = {"metadata": {"annotations": {"pulumi.com/autonamed": "true"}}}
    for type_, inputs in {
        "tls:index/privateKey:PrivateKey": {},
        "kubernetes:core/v1:ServiceAccountPatch": {},
        "kubernetes:batch/v1:Job": job,
        "cloudflare:index/originCaCertificate:OriginCaCertificate": {},
    }.items():
        found = look_up(candidate(type_, "x", inputs), every_lookup())
        assert found.status is Status.SKIPPED, type_
        assert found.note
