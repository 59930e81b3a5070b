"""What a node is told: cloud-init takes it, secrets stand where root alone reads them, and the pieces fit together."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pulumi
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.machines.ca import CA_COMMON_NAMES
from infra.machines.cloud_init import USER_DATA_LIMIT, user_data
from infra.machines.node_config import NodeConfig
from infra.settings.topology import Access
from rehearsal.pki import CertificateAuthority
from tests.recipes import ROOT
from tests.unit.told import ACCESS, PASSWORD, Told, cluster, files, server, told, variants
from tools.cloud_init import python_path

SCHEMA_COMMAND = """
import sys
from cloudinit.cmd.main import main
sys.exit(any([main(["cloud-init", "schema", "--config-file", file]) for file in sys.argv[1:]]))
"""
"""`cloud-init schema` of several files, without a start of Python for each."""


@pytest.fixture(scope="session")
def founder(tmp_path_factory: pytest.TempPathFactory) -> NodeConfig:
    """With keys and certificates of the size that real ones have."""
    folder = tmp_path_factory.mktemp("authority")
    accounts = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    authority = {
        "service.key": accounts.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    }
    for name, common_name in CA_COMMON_NAMES.items():
        made = CertificateAuthority.create(folder, common_name).files
        authority |= {f"{name}.crt": made.certificate.read_text(), f"{name}.key": made.key.read_text()}
    return replace(server(), cluster_init=True, ca_files=authority)


def unit(document: Told, name: str) -> configparser.RawConfigParser:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.read_string(files(document)[f"/etc/systemd/system/{name}"])
    return parsed


def judged(documents: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What cloud-init says of them, a line each."""
    for name, document in documents.items():
        (folder / name).write_text(document)
    command = [sys.executable, "-c", SCHEMA_COMMAND, *documents]
    environment = os.environ | {"PYTHONPATH": str(python_path())}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_cloud_init_takes_every_kind_of_it(founder: NodeConfig, tmp_path: Path) -> None:
    documents = dict(variants(founder))
    said = judged(documents, tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines() == [f"Valid cloud-config: {name}" for name in documents]


def test_cloud_init_refuses_a_mistake(founder: NodeConfig, tmp_path: Path) -> None:
    document = user_data(founder, cluster=cluster(), access=ACCESS)
    said = judged(
        {"right": document, "wrong": document.replace("package_update: true", "package_update: maybe")}, tmp_path
    )
    assert said.returncode != 0
    assert "package_update: 'maybe' is not of type 'boolean'" in said.stderr


def test_cloud_init_knows_every_key(founder: NodeConfig) -> None:
    """It says nothing about one that it does not know, and does nothing either."""
    schema = json.loads((python_path() / "cloudinit/config/schemas/schema-cloud-config-v1.json").read_text())
    known = {key for definition in schema["$defs"].values() for key in definition.get("properties", {})}
    assert set(told(founder)) <= known


def test_it_fits_with_a_whole_authority(founder: NodeConfig) -> None:
    assert len(user_data(founder, cluster=cluster(k3sSha256="a" * 64), access=ACCESS).encode()) < USER_DATA_LIMIT


def test_too_much_is_refused_before_hetzner_does(founder: NodeConfig) -> None:
    with pytest.raises(
        pulumi.RunError, match=f"The user data of ubuntu-1 has .* bytes; Hetzner accepts at most {USER_DATA_LIMIT}"
    ):
        user_data(replace(founder, ca_files={"server-ca.crt": "x" * USER_DATA_LIMIT}), cluster=cluster(), access=ACCESS)


def test_secrets_stand_in_files_that_root_alone_reads(founder: NodeConfig) -> None:
    document = told(founder)
    secrets = [PASSWORD, *(pem.strip() for name, pem in founder.ca_files.items() if name.endswith(".key"))]
    elsewhere = {**document, "write_files": [one for one in document["write_files"] if one["permissions"] != "0600"]}
    open_to_others = repr(elsewhere)
    assert [secret for secret in secrets if repr(secret)[1:-1] in open_to_others] == []
    held = "".join(one["content"] for one in document["write_files"])
    assert [secret for secret in secrets if secret not in held] == []


def test_the_authority_arrives_byte_for_byte(founder: NodeConfig) -> None:
    """The token holds the hash of one of these files: a lost line end, and no node would join."""
    written = files(told(founder))
    assert founder.ca_files
    for name, pem in founder.ca_files.items():
        assert written[f"/var/lib/rancher/k3s/server/tls/{name}"] == pem


def test_only_who_founds_is_given_keys(founder: NodeConfig) -> None:
    assert [
        name for name, document in variants(founder) if "PRIVATE KEY" in document and not name.startswith("founder")
    ] == []


def test_folders_of_secrets_are_closed_before_k3s_starts(founder: NodeConfig) -> None:
    document = told(founder)
    closed = re.findall(r"^d (\S+) 0700 root root$", files(document)["/etc/tmpfiles.d/k3s.conf"], re.M)
    for one in document["write_files"]:
        if one["permissions"] == "0600":
            assert str(Path(one["path"]).parent) in closed, one["path"]
    commands = document["runcmd"]
    assert commands.index(["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/k3s.conf"]) < commands.index(
        ["systemctl", "start", "--no-block", "k3s.service"]
    )


def test_no_pod_runs_before_the_user_data_is_out_of_reach(founder: NodeConfig) -> None:
    document = told(founder)
    guard, k3s = unit(document, "metadata-guard.service"), unit(document, "k3s.service")
    assert "k3s.service" in guard["Unit"]["Before"].split()
    # A second boot runs cloud-init again, which then still reaches what the guard refuses.
    assert guard["Unit"]["After"].split() == ["cloud-init.service", "cloud-init-network.service"]
    for key in ("Requires", "After"):
        assert "metadata-guard.service" in k3s["Unit"][key]
    commands = document["runcmd"]
    assert commands.index(["systemctl", "enable", "--now", "metadata-guard.service"]) < commands.index(
        ["systemctl", "start", "--no-block", "k3s.service"]
    )
    rules = files(document)["/etc/honeydue/metadata-guard.nft"]
    assert set(re.findall(r"type filter hook (\w+)", rules)) == {"output", "forward"}
    assert "ip daddr 169.254.169.254 counter reject" in rules


@pytest.mark.parametrize("role", ["server", "agent"])
def test_the_service_installs_then_decides_then_starts_the_role(role: Literal["server", "agent"]) -> None:
    document = told(replace(server(), role=role))
    written = files(document)
    lines = written["/etc/systemd/system/k3s.service"].splitlines()
    steps = [line.partition("=")[2] for line in lines if line.startswith("ExecStart")]
    assert steps[-3:] == ["/usr/local/sbin/k3s-install", "/usr/local/sbin/k3s-role", "/usr/local/bin/k3s ${NODE_ROLE}"]
    assert "EnvironmentFile=/etc/honeydue/node.env" in lines
    assert f"NODE_ROLE='{role}'\n" in written["/etc/honeydue/node.env"]
    # It may wait for its cluster for ever.
    assert "TimeoutStartSec=infinity" in lines
    programs = {one["path"] for one in document["write_files"] if one["permissions"] == "0755"}
    assert programs == set(steps[-3:-1])


def test_the_environment_is_read_by_a_shell_as_it_was_meant(founder: NodeConfig, tmp_path: Path) -> None:
    (tmp_path / "node.env").write_text(files(told(founder, cluster(k3sSha256="b" * 64)))["/etc/honeydue/node.env"])
    command = f'. {tmp_path}/node.env; echo "$NODE_NAME|$NODE_ADDRESS|$NODE_ROLE|$NODE_PEERS|$NODE_CLUSTER_INIT|$K3S_VERSION|$K3S_SHA256"'
    said = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert said == f"ubuntu-1|10.0.0.11|server|10.0.0.12 10.0.0.13|yes|v1.34.6+k3s1|{'b' * 64}\n"


def test_sshd_and_what_watches_it_agree_on_the_port(founder: NodeConfig) -> None:
    access = Access.model_validate({"operators": ["203.0.113.0/24"], "sshPort": 2345})
    written = files(yaml.safe_load(user_data(founder, cluster=cluster(), access=access)))
    assert "Port 2345\n" in written["/etc/ssh/sshd_config.d/01-honeydue.conf"]
    assert "port = 2345\n" in written["/etc/fail2ban/jail.d/honeydue.local"]


def test_wireguards_tools_come_with_wireguard(founder: NodeConfig) -> None:
    assert [
        "wireguard-tools" in told(founder, cluster(flannelBackend=one))["packages"]
        for one in ("wireguard-native", "vxlan")
    ] == [
        True,
        False,
    ]


def test_the_scripts_pass_shellcheck() -> None:
    checker = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert checker is not None, "requirements-dev.txt brings shellcheck"
    scripts = sorted((ROOT / "infra/machines/files").glob("*.sh"))
    assert len(scripts) == 2
    said = subprocess.run([checker, "--severity=style", *scripts], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
