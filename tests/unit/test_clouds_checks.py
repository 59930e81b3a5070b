"""What the simulated hcloud plugin says before anything is contacted: refusals, previews, secrets and unknowns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.clouds_client import UNKNOWN_MARK, Engine, Inputs, ProviderError, secret

FIREWALL = "hcloud:index/firewall:Firewall"
SERVER = "hcloud:index/server:Server"
PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"
NETWORK = "hcloud:index/network:Network"
SSH_KEY = "hcloud:index/sshKey:SshKey"

RULE = {"direction": "in", "protocol": "tcp", "port": "443", "sourceIps": ["173.245.48.0/20"]}


@pytest.fixture
def hcloud(tmp_path: Path) -> Engine:
    return Engine("hcloud", tmp_path)


def test_a_preview_knows_what_it_is_told_and_creates_nothing(hcloud: Engine, tmp_path: Path) -> None:
    seen = hcloud.preview(
        SERVER, {"name": "a", "serverType": "cx33", "userData": secret("s3cret"), "firewallIds": UNKNOWN_MARK}
    )
    assert seen["ipv4Address"] == UNKNOWN_MARK
    assert seen["firewallIds"] == UNKNOWN_MARK
    assert seen["serverType"] == "cx33"
    assert seen["userData"] == secret("s3cret")
    assert not (tmp_path / "hcloud.json").exists()


def test_check_hands_back_secrets_and_unknowns(hcloud: Engine) -> None:
    inputs = {"name": "a", "serverType": "cx33", "userData": secret("s3cret"), "placementGroupId": UNKNOWN_MARK}
    answer = hcloud.check(SERVER, inputs)
    assert not answer.failures
    assert answer.inputs["userData"] == secret("s3cret")
    assert answer.inputs["placementGroupId"] == UNKNOWN_MARK


def test_no_secret_in_an_error(hcloud: Engine) -> None:
    reasons = hcloud.reasons(SERVER, {"serverType": "cx33", "keepDisk": secret("hunter2")})
    assert len(reasons) == 1
    assert "hunter2" not in reasons[0]


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("hcloud:index/sever:Sever", "Resource type 'hcloud:index/sever:Sever' not found."),
        (
            "hcloud:index/loadBalancer:LoadBalancer",
            "The rehearsal does not simulate 'hcloud:index/loadBalancer:LoadBalancer'.",
        ),
    ],
)
def test_a_type_that_is_not_served_is_refused_by_name(hcloud: Engine, type_: str, words: str) -> None:
    assert hcloud.reasons(type_, {})[0].startswith(words)


@pytest.mark.parametrize(
    ("type_", "inputs", "words"),
    [
        (
            FIREWALL,
            {"rules": [{**RULE, "prot": "tcp"}]},
            "Invalid or unknown key. Examine values at 'x.rules[0].prot'.",
        ),
        (
            FIREWALL,
            {"rules": [{**RULE, "sourceIps": ["nope"]}]},
            "invalid CIDR address: nope. Examine values at 'x.rules'.",
        ),
        (
            SERVER,
            {"serverType": "cx33", "placementGroupId": "twelve"},
            'strconv.ParseInt: parsing "twelve": invalid syntax',
        ),
        (NETWORK, {"ipRange": "10.0.0.0"}, "invalid CIDR address: 10.0.0.0"),
        (SERVER, {"serverType": "cx33", "labels": {"n": 1}}, "must be a string"),
        (PRIMARY_IP, {"type": "ipv4", "location": "nbg1", "autoDelete": "true"}, "Expected a Boolean"),
    ],
)
def test_the_plugin_refuses(hcloud: Engine, type_: str, inputs: Inputs, words: str) -> None:
    reasons = hcloud.reasons(type_, inputs)
    assert len(reasons) == 1
    assert words in reasons[0]


@pytest.mark.parametrize(
    "inputs",
    [
        {"serverType": "cx33", "keepDisk": "true", "placementGroupId": "12", "sshKeys": "ops"},
        {"serverType": "cx33", "backups": "1", "firewallIds": ["1", 2]},
        {"serverType": UNKNOWN_MARK, "labels": {"a": UNKNOWN_MARK}, "sshKeys": [UNKNOWN_MARK]},
    ],
)
def test_the_plugin_reads_scalars_liberally(hcloud: Engine, inputs: Inputs) -> None:
    assert hcloud.reasons(SERVER, inputs) == []


def test_an_operator_key(hcloud: Engine) -> None:
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII8wD1qgf9HH+Y4YiLUbtxNu3lP6XXur4ZT7Am0RODwn ops@example"
    key = hcloud.create(SSH_KEY, {"name": "ops", "publicKey": line})
    assert len(key.outputs["fingerprint"].split(":")) == 16
    assert not hcloud.diff(SSH_KEY, key.inputs, {**key.inputs, "publicKey": line.replace("ops@", "dev@")}).diffs
    with pytest.raises(ProviderError, match="not a valid public key"):
        hcloud.create(SSH_KEY, {"name": "bad", "publicKey": "not a key"})
