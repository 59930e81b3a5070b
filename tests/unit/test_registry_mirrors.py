"""The second registry and k3s' own mirror: containerd's file on new nodes, and the port between the nodes."""

from collections.abc import Mapping

import pytest
import yaml
from pydantic import ValidationError

from infra import host_ports
from infra.machines.cloud_init import user_data
from infra.machines.k3s import configuration as k3s_configuration
from infra.machines.registries import configuration
from infra.settings.schema import Settings
from infra.settings.types import registry_host
from tests.unit.capture import Capture, unwrap
from tests.unit.cloud_configs import ACCESS, files, server
from tests.unit.flips import PRIVATE, example, firewall

MIRROR = {"registryMirror": "registry.example.com/path"}
EMBEDDED = {"cluster.embeddedRegistry": True}
FILE = "/etc/rancher/k3s/registries.yaml"


def written(settings: Settings) -> Mapping[str, str]:
    """The files of a new server."""
    registries = configuration(settings)
    text = user_data(server(), cluster=settings.cluster, access=ACCESS, registries=registries)
    return files(yaml.safe_load(text))


def ports(settings: Settings) -> list[object]:
    return [rule.get("port") for rule in firewall(settings)]


def test_by_default_a_node_has_no_file_and_the_port_is_closed() -> None:
    assert FILE not in written(example())
    assert host_ports.EMBEDDED_REGISTRY.port not in ports(example())


def test_a_node_asks_the_second_registry_after_the_first_one() -> None:
    settings = example(MIRROR)
    mirrors = yaml.safe_load(written(settings)[FILE])["mirrors"]
    ours = registry_host(settings.images.registry)
    for host in (ours, "docker.io", "quay.io", "registry.k8s.io"):
        assert mirrors[host] == {"endpoint": [f"https://{host}", "https://registry.example.com/v2/path"]}


def test_a_second_registry_without_a_path_has_the_default_address() -> None:
    mirrors = yaml.safe_load(written(example({"registryMirror": "registry.example.com:5000"}))[FILE])["mirrors"]
    assert mirrors["docker.io"]["endpoint"][1] == "https://registry.example.com:5000"


def test_the_mirror_of_k3s_shares_the_images_of_the_registries_in_the_file() -> None:
    settings = example(EMBEDDED)
    mirrors = yaml.safe_load(written(settings)[FILE])["mirrors"]
    # A name without an address is enough (k3s, pkg/spegel/spegel.go).
    assert mirrors[registry_host(settings.images.registry)] == {}
    assert k3s_configuration(server(), settings.cluster)["embedded-registry"] is True


def test_the_nodes_reach_the_mirror_of_k3s_on_each_other() -> None:
    settings = example(EMBEDDED)
    (rule,) = (rule for rule in firewall(settings) if rule.get("port") == "5001")
    assert rule["protocol"] == "tcp"
    assert rule["sourceIps"] == [f"{node.ipv4}/32" for node in settings.nodes.values()]
    # Hetzner does not filter a private network.
    assert "5001" not in ports(example({**EMBEDDED, **PRIVATE}))


def test_both_can_be_set() -> None:
    mirrors = yaml.safe_load(written(example({**MIRROR, **EMBEDDED}))[FILE])["mirrors"]
    assert len(mirrors["docker.io"]["endpoint"]) == 2


def test_a_path_of_the_same_registry_is_refused() -> None:
    host = registry_host(example().images.registry)
    with pytest.raises(ValidationError, match="would be away with it"):
        example({"registryMirror": f"{host}/mirror"})


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("redis:7", "docker.io"),
        ("rancher/k3s-upgrade", "docker.io"),
        ("docker.io/victoriametrics/vmagent:v1", "docker.io"),
        ("registry.example.com:5000/a", "registry.example.com:5000"),
        ("localhost:5000/a", "localhost:5000"),
    ],
)
def test_the_registry_of_an_image_is_that_of_the_kubelet(image: str, host: str) -> None:
    assert registry_host(image) == host


def test_every_server_of_the_program_has_the_file(full_example: Capture) -> None:
    servers = full_example.resources("Server")
    assert servers
    for resource in servers:
        assert FILE in files(yaml.safe_load(unwrap(resource.inputs["userData"])))
