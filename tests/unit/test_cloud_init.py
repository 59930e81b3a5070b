"""The user data of a node: cloud-init accepts it, only root reads its secrets, and its files fit together."""

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
from infra.machines.cloud_init import user_data
from infra.machines.node_config import NodeConfig
from infra.settings.limits import USER_DATA
from infra.settings.topology import Access
from rehearsal.pki import CertificateAuthority
from tests.recipes import ROOT
from tests.unit.cloud_configs import ACCESS, PASSWORD, CloudConfig, cloud_config, cluster, files, server, variants
from tools.cloud_init import python_path

SCHEMA_COMMAND = """
import sys
from cloudinit.cmd.main import main
sys.exit(any([main(["cloud-init", "schema", "--config-file", file]) for file in sys.argv[1:]]))
"""
"""Runs `cloud-init schema` for several files in one process, to start Python only once."""


RULES = "/etc/honeydue/metadata-guard.nft"


@pytest.fixture(scope="session")
def init_node(tmp_path_factory: pytest.TempPathFactory) -> NodeConfig:
    """The init node, with CA files of realistic size."""
    folder = tmp_path_factory.mktemp("ca")
    service_account_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = service_account_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    ca_files = {"service.key": pem.decode()}
    for name, common_name in CA_COMMON_NAMES.items():
        ca = CertificateAuthority.create(folder, common_name).files
        ca_files |= {f"{name}.crt": ca.certificate.read_text(), f"{name}.key": ca.key.read_text()}
    return replace(server(), cluster_init=True, ca_files=ca_files)


def unit(document: CloudConfig, name: str) -> configparser.RawConfigParser:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.read_string(files(document)[f"/etc/systemd/system/{name}"])
    return parsed


def service_steps(document: CloudConfig) -> list[str]:
    """The commands of k3s.service, in their order."""
    lines = files(document)["/etc/systemd/system/k3s.service"].splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith("ExecStart")]


def cloud_init_schema(documents: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Checks each document against the schema of cloud-init, which prints one line for each."""
    for name, document in documents.items():
        (folder / name).write_text(document)
    command = [sys.executable, "-c", SCHEMA_COMMAND, *documents]
    environment = os.environ | {"PYTHONPATH": str(python_path())}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_cloud_init_accepts_the_user_data_of_every_kind_of_node(init_node: NodeConfig, tmp_path: Path) -> None:
    documents = dict(variants(init_node))
    result = cloud_init_schema(documents, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [f"Valid cloud-config: {name}" for name in documents]


def test_cloud_init_refuses_an_invalid_value(init_node: NodeConfig, tmp_path: Path) -> None:
    document = user_data(init_node, cluster=cluster(), access=ACCESS)
    result = cloud_init_schema(
        {"valid": document, "invalid": document.replace("package_update: true", "package_update: maybe")}, tmp_path
    )
    assert result.returncode != 0
    assert "package_update: 'maybe' is not of type 'boolean'" in result.stderr


def test_every_key_is_in_the_schema_of_cloud_init(init_node: NodeConfig) -> None:
    """cloud-init ignores unknown keys without a message."""
    schema = json.loads((python_path() / "cloudinit/config/schemas/schema-cloud-config-v1.json").read_text())
    properties = {key for definition in schema["$defs"].values() for key in definition.get("properties", {})}
    assert set(cloud_config(init_node)) <= properties


def test_user_data_with_all_ca_files_is_below_the_limit_of_hetzner(init_node: NodeConfig) -> None:
    assert len(user_data(init_node, cluster=cluster(k3sSha256="a" * 64), access=ACCESS).encode()) < USER_DATA.maximum


def test_user_data_above_the_limit_is_an_error_of_the_program(init_node: NodeConfig) -> None:
    with pytest.raises(
        pulumi.RunError, match=f"The user data of ubuntu-1 has .* bytes; Hetzner accepts at most {USER_DATA.maximum}"
    ):
        user_data(
            replace(init_node, ca_files={"server-ca.crt": "x" * USER_DATA.maximum}), cluster=cluster(), access=ACCESS
        )


def test_secrets_are_only_in_files_that_only_root_can_read(init_node: NodeConfig) -> None:
    document = cloud_config(init_node)
    secrets = [PASSWORD, *(pem.strip() for name, pem in init_node.ca_files.items() if name.endswith(".key"))]
    readable_files = [file for file in document["write_files"] if file["permissions"] != "0600"]
    readable = repr({**document, "write_files": readable_files})
    assert [secret for secret in secrets if repr(secret)[1:-1] in readable] == []
    contents = "".join(file["content"] for file in document["write_files"])
    assert [secret for secret in secrets if secret not in contents] == []


def test_the_ca_files_are_written_byte_for_byte(init_node: NodeConfig) -> None:
    """The join token contains the hash of a CA file: if a line end were lost, no node could join."""
    written = files(cloud_config(init_node))
    assert init_node.ca_files
    for name, pem in init_node.ca_files.items():
        assert written[f"/var/lib/rancher/k3s/server/tls/{name}"] == pem


def test_only_the_init_node_gets_private_keys(init_node: NodeConfig) -> None:
    assert [
        name for name, document in variants(init_node) if "PRIVATE KEY" in document and not name.startswith("init-node")
    ] == []


def test_folders_with_secrets_have_mode_0700_before_k3s_starts(init_node: NodeConfig) -> None:
    document = cloud_config(init_node)
    private_folders = re.findall(r"^d (\S+) 0700 root root$", files(document)["/etc/tmpfiles.d/k3s.conf"], re.M)
    for file in document["write_files"]:
        if file["permissions"] == "0600":
            assert str(Path(file["path"]).parent) in private_folders, file["path"]
    commands = document["runcmd"]
    assert commands.index(["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/k3s.conf"]) < commands.index(
        ["systemctl", "start", "--no-block", "k3s.service"]
    )


def test_the_metadata_service_is_blocked_before_pods_run(init_node: NodeConfig) -> None:
    document = cloud_config(init_node)
    guard, k3s = unit(document, "metadata-guard.service"), unit(document, "k3s.service")
    assert "k3s.service" in guard["Unit"]["Before"].split()
    # cloud-init runs at each boot and needs the metadata service before the guard blocks it.
    after = re.findall(r"^After=(.+)$", files(document)["/etc/systemd/system/metadata-guard.service"], re.M)
    assert " ".join(after).split() == ["cloud-init.service", "cloud-init-network.service", "nftables.service"]
    assert "metadata-guard.service" in k3s["Unit"]["After"]
    # Each failed ExecStartPre fails the start, and systemd repeats it. A failed dependency would not be repeated.
    steps = service_steps(document)
    assert steps.index("/usr/bin/systemctl start metadata-guard.service") < steps.index("/usr/local/sbin/k3s-role")
    assert k3s["Service"]["Restart"] == "always"
    assert "Requires" not in k3s["Unit"]
    commands = document["runcmd"]
    assert commands.index(
        ["systemctl", "enable", "--now", "metadata-guard.service", "metadata-guard.timer"]
    ) < commands.index(["systemctl", "start", "--no-block", "k3s.service"])
    rules = files(document)[RULES]
    assert set(re.findall(r"type filter hook (\w+)", rules)) == {"output", "forward"}
    assert "ip daddr 169.254.169.254 counter reject" in rules


def test_the_rules_of_the_metadata_guard_are_restored_after_a_flush() -> None:
    """`nft flush ruleset` and a start of nftables.service delete all tables."""
    document = cloud_config(server())
    guard, timer = unit(document, "metadata-guard.service"), unit(document, "metadata-guard.timer")
    # A start of a unit that is already active does nothing.
    assert "RemainAfterExit" not in guard["Service"]
    assert "nftables.service" in guard["Install"]["WantedBy"].split()
    assert timer["Timer"]["OnUnitInactiveSec"] == "30s"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert re.search(r"^table (\S+ \S+)\ndelete table \1\ntable \1 {$", files(document)[RULES], re.M)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is needed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for path, content in files(cloud_config(server())).items():
        if path.startswith("/etc/systemd/system/metadata-guard"):
            (tmp_path / Path(path).name).write_text(content.replace("/usr/sbin/nft", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_sshd_forwards_no_connections() -> None:
    """A forwarded connection comes from the node, which every firewall and network policy allows."""
    options = dict(
        line.split(maxsplit=1)
        for line in files(cloud_config(server()))["/etc/ssh/sshd_config.d/01-honeydue.conf"].splitlines()
        if not line.startswith("#")
    )
    for option in (
        "AllowTcpForwarding",
        "AllowStreamLocalForwarding",
        "AllowAgentForwarding",
        "X11Forwarding",
        "PermitTunnel",
    ):
        assert options[option] == "no"


@pytest.mark.parametrize("role", ["server", "agent"])
def test_the_service_runs_install_and_role_scripts_and_then_k3s(role: Literal["server", "agent"]) -> None:
    document = cloud_config(replace(server(), role=role))
    written = files(document)
    lines = written["/etc/systemd/system/k3s.service"].splitlines()
    steps = service_steps(document)
    assert steps[-3:] == ["/usr/local/sbin/k3s-install", "/usr/local/sbin/k3s-role", "/usr/local/bin/k3s ${NODE_ROLE}"]
    # metadata-guard needs nft, and the other scripts need curl, jq and openssl.
    assert steps[1] == "/usr/local/sbin/node-packages"
    assert "EnvironmentFile=/etc/honeydue/node.env" in lines
    assert f"NODE_ROLE='{role}'\n" in written["/etc/honeydue/node.env"]
    # A node may wait for its cluster without a limit.
    assert "TimeoutStartSec=infinity" in lines
    programs = {file["path"] for file in document["write_files"] if file["permissions"] == "0755"}
    assert programs == {step for step in steps[:-1] if step.startswith("/usr/local/")}


def test_the_files_of_the_package_are_written_without_comments() -> None:
    """With them, the user data of an init node is larger than Hetzner accepts."""
    written = {Path(path).name: content for path, content in files(cloud_config(server())).items()}
    sources = sorted((ROOT / "infra/machines/files").iterdir())
    assert sources
    for source in sources:
        lines = written[source.name.removesuffix(".sh")].splitlines()
        assert [line for line in lines if line.lstrip().startswith("#")] == ["#!/bin/sh"] * (source.suffix == ".sh")
        assert [line for line in source.read_text().splitlines() if not line.lstrip().startswith("#")] == [
            line for line in lines if line != "#!/bin/sh"
        ]


def test_a_shell_reads_each_value_of_the_environment_file(init_node: NodeConfig, tmp_path: Path) -> None:
    (tmp_path / "node.env").write_text(
        files(cloud_config(init_node, cluster(k3sSha256="b" * 64)))["/etc/honeydue/node.env"]
    )
    variables = "$NODE_NAME|$NODE_ADDRESS|$NODE_ROLE|$NODE_PEERS|$NODE_CLUSTER_INIT|$K3S_VERSION|$K3S_SHA256"
    command = f'. {tmp_path}/node.env; echo "{variables}"'
    output = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert output == f"ubuntu-1|10.0.0.11|server|10.0.0.12 10.0.0.13|yes|v1.34.6+k3s1|{'b' * 64}\n"


def test_sshd_and_fail2ban_use_the_same_port(init_node: NodeConfig) -> None:
    access = Access.model_validate({"operators": ["203.0.113.0/24"], "sshPort": 2345})
    written = files(yaml.safe_load(user_data(init_node, cluster=cluster(), access=access)))
    assert "Port 2345\n" in written["/etc/ssh/sshd_config.d/01-honeydue.conf"]
    assert "port = 2345\n" in written["/etc/fail2ban/jail.d/honeydue.local"]


def test_wireguard_tools_are_installed_only_for_the_wireguard_backend(init_node: NodeConfig) -> None:
    assert [
        "wireguard-tools" in cloud_config(init_node, cluster(flannelBackend=backend))["packages"]
        for backend in ("wireguard-native", "vxlan")
    ] == [
        True,
        False,
    ]


def test_k3s_starts_only_with_the_packages_that_its_scripts_need(init_node: NodeConfig) -> None:
    document = cloud_config(init_node)
    environment = dict(re.findall(r"^(\w+)='(.*)'$", files(document)["/etc/honeydue/node.env"], re.M))
    assert environment["NODE_PACKAGES"].split() == document["packages"]
    assert set(environment["REQUIRED_PACKAGES"].split()) < set(document["packages"])


def test_the_scripts_pass_shellcheck() -> None:
    checker = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert checker is not None, "install requirements-dev.txt, which contains shellcheck"
    scripts = sorted((ROOT / "infra/machines/files").glob("*.sh"))
    assert len(scripts) == 3
    result = subprocess.run([checker, "--severity=style", *scripts], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
