"""The registries from which containerd pulls images, as k3s configures them on a node.

The file: https://docs.k3s.io/installation/private-registry.
"""

from collections.abc import Mapping, Sequence

from infra.settings.logs import LogImages
from infra.settings.monitoring import MonitoringImages
from infra.settings.schema import Settings
from infra.settings.types import registry_host


def configuration(settings: Settings) -> Mapping[str, object]:
    """/etc/rancher/k3s/registries.yaml. Empty, and not written, without a second registry and k3s' own mirror.

    k3s shares the images of the registries that this file lists between the nodes, if `embedded-registry` is set.
    """
    if not (settings.registry_mirror or settings.cluster.embedded_registry):
        return {}
    endpoints = {host: _endpoints(host, settings.registry_mirror) for host in _hosts(settings)}
    return {"mirrors": {host: {"endpoint": urls} if urls else {} for host, urls in endpoints.items()}}


def _hosts(settings: Settings) -> Sequence[str]:
    """The registries of all images, also of those that are switched off: nodes read the file once."""
    monitoring = settings.monitoring.images if settings.monitoring else MonitoringImages()
    logs = settings.logs.images if settings.logs else LogImages()
    images = [settings.images.registry, settings.images.redis, *monitoring.model_dump().values()]
    return sorted({registry_host(image) for image in (*images, *logs.model_dump().values())})


def _endpoints(host: str, mirror: str | None) -> Sequence[str]:
    """The addresses that containerd requests one after the other.

    First the registry itself, because the second one may have an older image under a tag. By default, containerd would
    request it last.
    """
    if mirror is None:
        return []
    name, _, path = mirror.partition("/")
    # k3s only keeps the path of an address that is more than /v2.
    return [f"https://{host}", f"https://{name}/v2/{path}" if path else f"https://{name}"]
