"""The parts of a simulated machine that need no process: its files, its configuration, the bootstrap data of k3s."""

import base64
import json
from pathlib import Path

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.loopback import loopback_ranges
from rehearsal.machines import bootstrap, cloud_config
from rehearsal.machines.config import Config


def test_files_of_the_user_data_are_written_with_their_modes(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"decoded").decode()
    config = cloud_config.parse(
        "#cloud-config\n"
        "write_files:\n"
        "  - {path: /etc/secret, permissions: '0600', content: hidden}\n"
        "  - {path: /usr/local/sbin/run, permissions: '0755', encoding: b64, content: " + encoded + "}\n"
        "runcmd:\n"
        "  - [systemctl, enable, --now, k3s]\n"
        "  - echo 'two words'\n"
    )
    cloud_config.write_files(config, tmp_path)
    assert (tmp_path / "etc/secret").read_text() == "hidden"
    assert (tmp_path / "etc/secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "usr/local/sbin/run").read_text() == "decoded"
    assert (tmp_path / "usr/local/sbin/run").stat().st_mode & 0o777 == 0o755
    assert cloud_config.commands(config) == [["systemctl", "enable", "--now", "k3s"], ["echo", "two words"]]


def test_user_data_without_the_cloud_config_header_is_refused() -> None:
    with pytest.raises(RehearsalError, match="does not begin with #cloud-config"):
        cloud_config.parse("write_files: []")


def read_config(root: Path, **files: str) -> Config:
    folder = root / "etc/rancher/k3s"
    (folder / "config.yaml.d").mkdir(parents=True)
    for name, content in files.items():
        file = folder / "config.yaml" if name == "main" else folder / "config.yaml.d" / f"{name}.yaml"
        file.write_text(content)
    return Config.read(root)


def test_a_later_file_overrides_and_a_plus_appends(tmp_path: Path) -> None:
    config = read_config(
        tmp_path, main="tls-san: [a]\nnode-ip: x\n", b="tls-san+: [c]\nnode-ip: z\n", a="tls-san+: b\n"
    )
    assert config.texts("tls-san") == ["a", "b", "c"]
    assert config.text("node-ip") == "z"


def test_paths_of_the_configuration_are_below_the_root_of_the_machine(tmp_path: Path) -> None:
    config = read_config(
        tmp_path, main="kube-apiserver-arg: ['audit-policy-file=/etc/audit.yaml', 'audit-log-maxage=30']\n"
    )
    assert config.extra_arguments(tmp_path)["kube-apiserver"] == [
        f"audit-policy-file={tmp_path}/etc/audit.yaml",
        "audit-log-maxage=30",
    ]


@pytest.mark.parametrize(("token", "ca_hash"), [("K10" + "a" * 64 + "::server:secret", "a" * 64), ("secret", None)])
def test_a_token_has_a_short_and_a_full_format(token: str, ca_hash: str | None) -> None:
    config = Config({"token": token})
    assert (config.password, config.ca_hash) == ("secret", ca_hash)


def test_bootstrap_data_of_a_server_is_written_by_the_next_server(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for path in bootstrap.FILES.values():
        (first / path).parent.mkdir(parents=True, exist_ok=True)
        (first / path).write_text(path)
    answer = bootstrap.serialize(first)
    # The script of the node reads it in this format.
    assert base64.b64decode(json.loads(answer)["ClientCAKey"]["Content"]) == b"tls/client-ca.key"
    bootstrap.write(answer, second)
    assert {path: (second / path).read_text() for path in bootstrap.FILES.values()} == {
        path: path for path in bootstrap.FILES.values()
    }
    assert (second / "tls/client-ca.key").stat().st_mode & 0o077 == 0


def test_a_server_must_have_the_critical_options_of_the_server_that_it_joins() -> None:
    values = {"cluster-dns": "10.43.0.10", "flannel-backend": "vxlan", "secrets-encryption": True}
    plain, without_balancer = Config(values), Config({**values, "disable": ["servicelb"]})
    bootstrap.compare_critical_options(plain.critical, plain.critical)
    with pytest.raises(RehearsalError, match="critical configuration value mismatch between servers: DisableServiceLB"):
        bootstrap.compare_critical_options(without_balancer.critical, plain.critical)


def test_every_world_has_its_own_loopback_ranges() -> None:
    first, second = loopback_ranges(Path("/first")), loopback_ranges(Path("/second"))
    assert first == loopback_ranges(Path("/first")) != second
    assert all(network.is_loopback for network in (first.public, first.private))
    assert not first.public.overlaps(first.private)
