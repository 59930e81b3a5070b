"""A new node starts our pods while our registry is away, after `make mirror` copied their images to a second one.

The registries are real, and the kubelet pulls by digest. Only the file that k3s writes for containerd is written here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest

from infra.machines.registries import configuration
from infra.settings.apps import App
from ops import stackfile
from ops.mirror.command import PASSWORD, USERNAME
from ops.registry.client import DOCKER_HUB, ENDPOINT
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.engine.placeholders import placeholder
from rehearsal.external.image_registry import ImageRegistry
from rehearsal.external_authority import external_authority
from rehearsal.real_nodes.machine import Machine
from rehearsal.real_nodes.node_config import REGISTRIES
from rehearsal.world.world import World
from tests.real.hosts import resolving
from tests.real.network_namespaces import external_address
from tests.real.test_node_loss import nodes_with_ready_pods
from tests.rehearsal.cluster import APP, NAMESPACE, items
from tests.rehearsal.operator import editable_copy, ops
from tests.retry import eventually
from tests.unit.flips import example

FIRST, SECOND, PATH = "gitea.treytartt.com", "registry.example.com", "honeydue"
ADDRESSES = {FIRST: "198.18.0.10", SECOND: "198.18.0.11"}
APPS: Sequence[App] = get_args(App)
PULLED = {"api", "web"}
"""The apps with as many replicas as there are nodes."""
PULL_SECONDS = 300
"""The kubelet waits longer after each failure, up to five minutes."""

pytestmark = [pytest.mark.durability, pytest.mark.timeout(1200)]


@dataclass(frozen=True, kw_only=True)
class Site:
    """A world after `pulumi up` whose nodes pulled the images of the release from the first registry."""

    world: World
    registries: Mapping[str, ImageRegistry]
    folder: Path
    login: Sequence[str]

    def machine(self, hostname: str) -> Machine:
        return Machine(layout=self.world.layout, hostname=hostname)

    def mirror(self) -> str:
        """Runs `make mirror TO=…`, and returns its output."""
        username, password = self.login
        variables = {
            ENDPOINT: self.registries[FIRST].url,
            USERNAME: username,
            PASSWORD: password,
            "REQUESTS_CA_BUNDLE": str(external_authority().files.certificate),
        }
        arguments = ("mirror", "--stack", "prod", "--to", f"{SECOND}/{PATH}", "--yes")
        return ops(self.world, *arguments, extra=variables, prefix=resolving(ADDRESSES, self.folder)).stdout


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    project = tmp_path / "project"
    project.mkdir()
    editable_copy(project)
    stackfile.set_value(project / "Pulumi.prod.yaml", "honeydue:registryMirror", f"{SECOND}/{PATH}")
    with ExitStack() as stack:
        world = stack.enter_context(World(tmp_path / "world", project=project, real_nodes=True))
        username, password = (str(placeholder(f"registry{key}", world.layout.pki)) for key in ("Username", "Password"))
        registries = {}
        for host, address in ADDRESSES.items():
            stack.enter_context(external_address(address))
            registries[host] = stack.enter_context(
                ImageRegistry(world.layout, username=username, password=password, host=host, address=address)
            )
        site = Site(world=world, registries=registries, folder=tmp_path, login=(username, password))
        machines = [site.machine(item["metadata"]["name"]) for item in world.kubectl_json("get", "nodes")["items"]]
        for machine in machines:
            resolve_registries(machine)
        publish(site, machines[0])
        world.pulumi("up", "--yes", "--skip-preview")
        yield site


def resolve_registries(machine: Machine) -> None:
    """Nodes of the world have no DNS server."""
    lines = "".join(f"{address} {host}\n" for host, address in ADDRESSES.items())
    machine.run("tee", "--append", "/etc/hosts", stdin=lines)


def publish(site: Site, machine: Machine) -> None:
    """Pushes the images of the settings to the first registry, and sets their digests."""
    images = read_stack_settings(site.world.settings_file).images
    for app in APPS:
        reference = images.reference(app)
        ctr(machine, "push", "--user", ":".join(site.login), reference)
        (listed,) = ctr(machine, "ls", f"name=={reference}").splitlines()[1:]
        digest = next(word for word in listed.split() if word.startswith("sha256:"))
        site.world.set_config(f"honeydue:images.{app}", f"{reference.rpartition(':')[2]}@{digest}")


def ctr(machine: Machine, *arguments: str) -> str:
    return machine.run("ctr", "--namespace=k8s.io", "images", *arguments)


def hosts_files() -> Mapping[str, str]:
    """hosts.toml of each registry, as k3s writes it from registries.yaml (k3s, pkg/agent/containerd/config.go)."""
    mirrors: Any = configuration(example({"registryMirror": f"{SECOND}/{PATH}"}))["mirrors"]
    files = {}
    for host, mirror in mirrors.items():
        lines = [f'server = "{with_path(f"https://{host}")}"', 'capabilities = ["pull", "resolve", "push"]']
        for endpoint in mirror["endpoint"]:
            lines += [f'[host."{with_path(endpoint)}"]', '  capabilities = ["pull", "resolve"]']
            lines += ["  override_path = true"] if urlsplit(endpoint).path else []
        files[f"{REGISTRIES}/{host}/hosts.toml"] = "\n".join([*lines, ""])
    return files


def with_path(endpoint: str) -> str:
    url = endpoint if urlsplit(endpoint).path else f"{endpoint}/v2"
    return url.replace("//docker.io/", f"//{DOCKER_HUB}/")


def pods_on(world: World, hostname: str) -> Mapping[str, Mapping[str, Any]]:
    """One pod of each app on the node, by app."""
    pods = [pod for app in PULLED for pod in items(world, "pods", app)]
    return {pod["metadata"]["labels"][APP]: pod for pod in pods if pod["spec"]["nodeName"] == hostname}


def events(world: World, pod: Mapping[str, Any], reason: str) -> Sequence[str]:
    """The messages of the pod's events with this reason."""
    selector = f"involvedObject.uid={pod['metadata']['uid']},reason={reason}"
    found = world.kubectl_json("get", "events", "-n", NAMESPACE, f"--field-selector={selector}")["items"]
    return [event["message"] for event in found]


def assert_pulled(world: World, hostname: str) -> None:
    pods = pods_on(world, hostname)
    assert pods.keys() == PULLED
    for app, pod in pods.items():
        assert hostname in nodes_with_ready_pods(world, app)
        (container,) = pod["spec"]["containers"]
        assert container["image"].startswith(f"{FIRST}/")
        assert "@sha256:" in container["image"]
        # Otherwise "Container image … already present on machine".
        pulled = f'Successfully pulled image "{container["image"]}"'
        assert any(message.startswith(pulled) for message in events(world, pod, "Pulled"))


def assert_registry_is_away(world: World, hostname: str) -> None:
    pods = pods_on(world, hostname)
    assert pods.keys() == PULLED
    for pod in pods.values():
        (status,) = pod["status"]["containerStatuses"]
        assert status["state"].get("waiting", {}).get("reason") == "ImagePullBackOff", status
        assert any("connection refused" in message for message in events(world, pod, "Failed"))
        assert events(world, pod, "Pulled") == []


def test_a_new_node_pulls_from_the_second_registry_while_the_first_is_away(site: Site) -> None:
    world = site.world
    output = site.mirror()
    assert f"{SECOND} has 4 images of the settings, with the same digests" in output, output
    # redis is at Docker Hub, which the world does not have.
    assert f"redis: {DOCKER_HUB} does not respond" in output
    assert "It lacks 1" in output

    (node_of_redis,) = (pod["spec"]["nodeName"] for pod in items(world, "pods", "redis"))
    names = [item["metadata"]["name"] for item in world.kubectl_json("get", "nodes")["items"]]
    hostname = next(name for name in names if name != node_of_redis and pods_on(world, name).keys() == PULLED)
    machine = site.machine(hostname)
    site.registries[FIRST].stop()
    world.kubectl("delete", "events", "--all", "-n", NAMESPACE)
    world.power(hostname, on=True, new_disk=True, pull=True)
    resolve_registries(machine)
    assert FIRST not in ctr(machine, "ls", "--quiet")
    # Without hosts.toml, containerd only asks the registry in the name of the image.
    eventually(lambda: assert_registry_is_away(world, hostname), seconds=PULL_SECONDS)

    machine.write(hosts_files())
    eventually(lambda: assert_pulled(world, hostname), seconds=PULL_SECONDS)
