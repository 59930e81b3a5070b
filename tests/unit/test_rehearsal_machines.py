"""The parts of a simulated machine that need no process: its disk, its configuration, what k3s hands on."""

import base64
import json
from pathlib import Path

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.loopback import loopback_ranges
from rehearsal.machines import bootstrap, cloud_config
from rehearsal.machines.config import Config


def test_files_are_laid_out_with_their_modes(tmp_path: Path) -> None:
    packed = base64.b64encode(b"packed").decode()
    config = cloud_config.parse(
        "#cloud-config\n"
        "write_files:\n"
        "  - {path: /etc/secret, permissions: '0600', content: hidden}\n"
        "  - {path: /usr/local/sbin/run, permissions: '0755', encoding: b64, content: " + packed + "}\n"
        "runcmd:\n"
        "  - [systemctl, enable, --now, k3s]\n"
        "  - echo 'two words'\n"
    )
    cloud_config.write_files(config, tmp_path)
    assert (tmp_path / "etc/secret").read_text() == "hidden"
    assert (tmp_path / "etc/secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "usr/local/sbin/run").read_text() == "packed"
    assert (tmp_path / "usr/local/sbin/run").stat().st_mode & 0o777 == 0o755
    assert cloud_config.commands(config) == [["systemctl", "enable", "--now", "k3s"], ["echo", "two words"]]


def test_what_cloud_init_would_ignore_is_refused() -> None:
    with pytest.raises(RehearsalError, match="does not begin with #cloud-config"):
        cloud_config.parse("write_files: []")


def configured(root: Path, **files: str) -> Config:
    folder = root / "etc/rancher/k3s"
    (folder / "config.yaml.d").mkdir(parents=True)
    for name, content in files.items():
        place = folder / "config.yaml" if name == "main" else folder / "config.yaml.d" / f"{name}.yaml"
        place.write_text(content)
    return Config.read(root)


def test_a_later_file_counts_and_a_plus_adds(tmp_path: Path) -> None:
    config = configured(tmp_path, main="tls-san: [a]\nnode-ip: x\n", b="tls-san+: [c]\nnode-ip: z\n", a="tls-san+: b\n")
    assert config.texts("tls-san") == ["a", "b", "c"]
    assert config.text("node-ip") == "z"


def test_files_of_the_configuration_are_those_of_the_machine(tmp_path: Path) -> None:
    config = configured(
        tmp_path, main="kube-apiserver-arg: ['audit-policy-file=/etc/audit.yaml', 'audit-log-maxage=30']\n"
    )
    assert config.extra_arguments(tmp_path)["kube-apiserver"] == [
        f"audit-policy-file={tmp_path}/etc/audit.yaml",
        "audit-log-maxage=30",
    ]


@pytest.mark.parametrize(("token", "authority"), [("K10" + "a" * 64 + "::server:secret", "a" * 64), ("secret", None)])
def test_a_token_has_two_forms(token: str, authority: str | None) -> None:
    config = Config({"token": token})
    assert (config.password, config.ca_hash) == ("secret", authority)


def test_what_one_server_tells_is_what_the_next_one_has(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in bootstrap.FILES.values():
        (one / path).parent.mkdir(parents=True, exist_ok=True)
        (one / path).write_text(path)
    answer = bootstrap.serialize(one)
    # As the node's own script reads it.
    assert base64.b64decode(json.loads(answer)["ClientCAKey"]["Content"]) == b"tls/client-ca.key"
    bootstrap.write(answer, other)
    assert {path: (other / path).read_text() for path in bootstrap.FILES.values()} == {
        path: path for path in bootstrap.FILES.values()
    }
    assert (other / "tls/client-ca.key").stat().st_mode & 0o077 == 0


def test_a_worlds_addresses_are_its_own_and_of_loopback() -> None:
    one, other = loopback_ranges(Path("/one")), loopback_ranges(Path("/other"))
    assert one == loopback_ranges(Path("/one")) != other
    assert all(network.is_loopback for network in (one.public, one.private))
    assert not one.public.overlaps(one.private)
