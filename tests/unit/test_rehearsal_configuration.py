"""The copy of the settings in a world: the settings of production with placeholders for secrets."""

from pathlib import Path

import pytest

from infra.settings.secrets import FORMATS, REQUIRED
from ops import stackfile
from ops.errors import OpsError
from rehearsal.control_plane.nodes import kwok_manifests
from rehearsal.engine import configuration
from rehearsal.engine.placeholders import placeholder
from rehearsal.errors import RehearsalError
from rehearsal.loopback import loopback_ranges
from tests.recipes import EXAMPLE, ROOT

SOURCE = """
encryptionsalt: v1:salt-of-production
config:
  honeydue:domain: example.com  # the zone
  honeydue:images: {api: "1234567890", web: 0123456789}
  honeydue:postgresPassword: {secure: v1:of-production}
  honeydue:extra:
    plain: 1
    token: {secure: v1:of-production-too}
"""


def copy_source(tmp_path: Path, source: str = SOURCE) -> tuple[Path, list[configuration.SecretSetting]]:
    (tmp_path / "source.yaml").write_text(source)
    missing = configuration.copy_settings(
        tmp_path / "source.yaml", tmp_path / "copy.yaml", tmp_path, loopback=loopback_ranges(tmp_path)
    )
    return tmp_path / "copy.yaml", missing


def test_no_encrypted_value_is_copied(tmp_path: Path) -> None:
    copy, _ = copy_source(tmp_path)
    assert "of-production" not in copy.read_text()


def test_every_encrypted_or_missing_secret_must_be_set(tmp_path: Path) -> None:
    _, missing = copy_source(tmp_path)
    secrets = {f"honeydue:{key}" for key, required in REQUIRED.items() if required.secret}
    assert {setting.path for setting in missing} == secrets | {"honeydue:extra.token"}


def test_missing_plain_values_are_added_and_the_text_is_kept(tmp_path: Path) -> None:
    copy, _ = copy_source(tmp_path)
    text = copy.read_text()
    assert 'honeydue:images: {api: "1234567890", web: 0123456789}' in text
    assert "# the zone" in text
    config = stackfile.load(copy)["config"]
    assert all(f"honeydue:{key}" in config for key, required in REQUIRED.items() if not required.secret)


def test_the_digests_of_images_are_removed_for_real_nodes(tmp_path: Path) -> None:
    """The images of real nodes are built here, and have other digests."""
    digest = "@sha256:" + "0" * 64
    (tmp_path / "source.yaml").write_text(
        f"config:\n  honeydue:images: {{api: '12345{digest}', redis: 'redis:7{digest}', web: abc}}\n"
        f"  honeydue:monitoring: {{images: {{vmagent: 'vmagent:1{digest}'}}}}\n"
        f"  honeydue:logs: {{images: {{vlagent: 'vlagent:1{digest}'}}}}\n"
    )
    loopback = loopback_ranges(tmp_path)
    for stand_in_images, expected in ((True, ""), (False, digest)):
        copy = tmp_path / f"copy-{stand_in_images}.yaml"
        configuration.copy_settings(
            tmp_path / "source.yaml", copy, tmp_path, loopback=loopback, stand_in_images=stand_in_images
        )
        config = stackfile.load(copy)["config"]
        assert dict(config["honeydue:images"]) == {
            "api": f"12345{expected}",
            "redis": f"redis:7{expected}",
            "web": "abc",
        }
        assert dict(config["honeydue:monitoring"]["images"]) == {"vmagent": f"vmagent:1{expected}"}
        assert dict(config["honeydue:logs"]["images"]) == {"vlagent": f"vlagent:1{expected}"}


def test_the_salt_of_an_earlier_copy_is_kept(tmp_path: Path) -> None:
    (tmp_path / "copy.yaml").write_text("encryptionsalt: v1:salt-of-the-world\n")
    copy, _ = copy_source(tmp_path)
    assert stackfile.load(copy)["encryptionsalt"] == "v1:salt-of-the-world"


def test_a_value_is_set_by_path_and_removed_by_none(tmp_path: Path) -> None:
    copy, _ = copy_source(tmp_path)
    stackfile.set_value(copy, "honeydue:images.api", "12e4567890")
    stackfile.set_value(copy, "honeydue:new.deeper", 3)
    stackfile.set_value(copy, "honeydue:domain", None)
    config = stackfile.load(copy)["config"]
    assert config["honeydue:images"]["api"] == "12e4567890"
    assert config["honeydue:new"] == {"deeper": 3}
    assert "honeydue:domain" not in config


def test_the_settings_of_production_are_valid_for_a_world() -> None:
    stack = configuration.read_stack_settings(ROOT / "Pulumi.prod.yaml")
    assert all(node.hostname for node in stack.nodes.values())
    assert stack.domain


def test_the_example_settings_result_in_this_stack() -> None:
    stack = configuration.read_stack_settings(EXAMPLE / "Pulumi.prod.yaml")
    assert stack.nodes["hetzner1"].hostname == "ubuntu-8gb-nbg1-2"
    assert (stack.network.pod_cidr, stack.network.service_cidr, stack.network.apiserver_cluster_ip) == (
        "10.42.0.0/16",
        "10.43.0.0/16",
        "10.43.0.1",
    )
    assert stack.network.advertise_address in {node.ipv4 for node in stack.nodes.values()}
    assert stack.domain == "myhoneydue.com"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("honeydue:nodes.hetzner1.ipv4", "178.104.247", "honeydue:nodes.hetzner1.ipv4"),
        ("honeydue:nodes", None, "honeydue:nodes"),
        ("honeydue:cluster.podCidr", "10.42.0.0/33", "honeydue:cluster.podCidr"),
        ("honeydue:domain", "not a domain", "honeydue:domain"),
    ],
)
def test_an_invalid_setting_is_one_line_with_its_key(tmp_path: Path, path: str, value: object, message: str) -> None:
    copy = tmp_path / "Pulumi.prod.yaml"
    copy.write_text((EXAMPLE / "Pulumi.prod.yaml").read_text())
    stackfile.set_value(copy, path, value)
    with pytest.raises(RehearsalError, match=message) as error:
        configuration.read_stack_settings(copy)
    assert "\n" not in str(error.value)


def test_invalid_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {a: [}")
    with pytest.raises(OpsError, match=r"Pulumi\.prod\.yaml is not valid YAML") as error:
        stackfile.load(tmp_path / "Pulumi.prod.yaml")
    assert "\n" not in str(error.value)


def test_placeholders_contain_their_key_and_are_stable_and_valid(tmp_path: Path) -> None:
    for key, required in REQUIRED.items():
        value = placeholder(key, tmp_path)
        assert value == placeholder(key, tmp_path), key
        if required.secret and key != "apnsKey":
            assert f"rehearsal-{key}-" in str(value)
    for key, (is_valid, _) in FORMATS.items():
        assert is_valid(str(placeholder(key, tmp_path))), key
    assert len(str(placeholder("hetznerToken", tmp_path))) == 64
    assert len(str(placeholder("cloudflareToken", tmp_path))) == 40
    assert str(placeholder("apnsKey", tmp_path)).startswith("-----BEGIN PRIVATE KEY-----")
    assert (tmp_path / "apns.p8").stat().st_mode & 0o077 == 0


def test_a_bootstrapped_cluster_gets_addresses_of_the_world(tmp_path: Path) -> None:
    source = """config:
  honeydue:nodes:
    hetzner1: {hostname: first, ipv4: 178.104.247.152, privateIpv4: 10.0.0.11}
  honeydue:cluster: {initNode: hetzner1, privateRange: 10.0.0.0/24, k3sSha256: %s}
""" % ("0" * 64)
    copy, missing = copy_source(tmp_path, source)
    config = stackfile.load(copy)["config"]
    private = loopback_ranges(tmp_path).private
    assert config["honeydue:nodes"]["hetzner1"] == {"hostname": "first", "privateIpv4": str(private[11])}
    assert config["honeydue:cluster"] == {"initNode": "hetzner1", "privateRange": str(private)}
    assert not {"kubeconfig", "joinToken"} & {setting.key for setting in missing}


VOLUME = {"claim": "redis-data", "storageClass": "local-path", "storage": "2Gi", "volume": "pvc-of-production"}


def test_a_world_has_the_adopted_volumes_of_production(tmp_path: Path) -> None:
    copy = tmp_path / "Pulumi.prod.yaml"
    copy.write_text((EXAMPLE / "Pulumi.prod.yaml").read_text())
    assert configuration.read_stack_settings(copy).volumes == ()
    stackfile.set_value(copy, "honeydue:adopted", {"volumes": {"redis": VOLUME}})
    stack = configuration.read_stack_settings(copy)
    (volume,) = (
        manifest
        for manifest in kwok_manifests(stack.nodes.values(), volumes=stack.volumes, kubelet_version="v1")
        if manifest["metadata"]["name"] == VOLUME["volume"]
    )
    assert volume["spec"]["capacity"] == {"storage": "2Gi"}
    assert "ubuntu-8gb-nbg1-2" in str(volume["spec"]["nodeAffinity"])


def test_adopted_objects_of_a_world_are_kept_when_its_settings_are_copied_again(tmp_path: Path) -> None:
    copy, _ = copy_source(tmp_path)
    stackfile.set_value(copy, "honeydue:adopted", {"volumes": {"redis": VOLUME}})
    again, _ = copy_source(tmp_path)
    assert stackfile.load(again)["config"]["honeydue:adopted"] == {"volumes": {"redis": VOLUME}}
