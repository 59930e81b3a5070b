"""Checks, previews, secrets and unknown values of the simulated hcloud plugin. None of them sends a request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.plugins.engine import UNKNOWN_MARK, Engine, Inputs, ProviderError, secret

FIREWALL = "hcloud:index/firewall:Firewall"
SERVER = "hcloud:index/server:Server"
PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"
NETWORK = "hcloud:index/network:Network"
SSH_KEY = "hcloud:index/sshKey:SshKey"
RULE = {"direction": "in", "protocol": "tcp", "port": "443", "sourceIps": ["173.245.48.0/20"]}


@pytest.fixture
def hcloud(tmp_path: Path) -> Engine:
    return Engine("hcloud", tmp_path)


def test_a_preview_returns_known_inputs_and_creates_nothing(hcloud: Engine, tmp_path: Path) -> None:
    outputs = hcloud.preview(
        SERVER, {"name": "a", "serverType": "cx33", "userData": secret("s3cret"), "firewallIds": UNKNOWN_MARK}
    )
    assert outputs["ipv4Address"] == UNKNOWN_MARK
    assert outputs["firewallIds"] == UNKNOWN_MARK
    assert outputs["serverType"] == "cx33"
    assert outputs["userData"] == secret("s3cret")
    assert not (tmp_path / "hetzner.json").exists()


def test_check_returns_secrets_and_unknown_values(hcloud: Engine) -> None:
    inputs = {"name": "a", "serverType": "cx33", "userData": secret("s3cret"), "placementGroupId": UNKNOWN_MARK}
    response = hcloud.check(SERVER, inputs)
    assert not response.failures
    assert response.inputs["userData"] == secret("s3cret")
    assert response.inputs["placementGroupId"] == UNKNOWN_MARK


def test_an_error_contains_no_secret(hcloud: Engine) -> None:
    reasons = hcloud.reasons(SERVER, {"serverType": "cx33", "keepDisk": secret("hunter2")})
    assert len(reasons) == 1
    assert "hunter2" not in reasons[0]


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("hcloud:index/sever:Sever", "Resource type 'hcloud:index/sever:Sever' not found."),
        (
            "hcloud:index/loadBalancer:LoadBalancer",
            "The rehearsal does not simulate 'hcloud:index/loadBalancer:LoadBalancer'.",
        ),
    ],
)
def test_the_error_names_a_type_that_is_not_simulated(hcloud: Engine, type_: str, message: str) -> None:
    assert hcloud.reasons(type_, {})[0].startswith(message)


@pytest.mark.parametrize(
    ("type_", "inputs", "message"),
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
def test_check_refuses_invalid_inputs(hcloud: Engine, type_: str, inputs: Inputs, message: str) -> None:
    reasons = hcloud.reasons(type_, inputs)
    assert len(reasons) == 1
    assert message in reasons[0]


@pytest.mark.parametrize(
    "inputs",
    [
        {"serverType": "cx33", "keepDisk": "true", "placementGroupId": "12", "sshKeys": "ops"},
        {"serverType": "cx33", "backups": "1", "firewallIds": ["1", 2]},
        {"serverType": UNKNOWN_MARK, "labels": {"a": UNKNOWN_MARK}, "sshKeys": [UNKNOWN_MARK]},
    ],
)
def test_check_converts_scalars(hcloud: Engine, inputs: Inputs) -> None:
    assert hcloud.reasons(SERVER, inputs) == []


def test_the_comment_of_an_ssh_key_is_part_of_it(hcloud: Engine) -> None:
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII8wD1qgf9HH+Y4YiLUbtxNu3lP6XXur4ZT7Am0RODwn ops@example"
    key = hcloud.create(SSH_KEY, {"name": "ops", "publicKey": line})
    assert len(key.outputs["fingerprint"].split(":")) == 16
    assert list(hcloud.diff(key, {**key.inputs, "publicKey": line.replace("ops@", "dev@")}).replaces) == ["publicKey"]
    with pytest.raises(ProviderError, match="not a valid public key"):
        hcloud.create(SSH_KEY, {"name": "bad", "publicKey": "not a key"})
