"""node_exporter: CPU, memory, disks and network of each node. The only part that needs the host."""

from collections.abc import Mapping

import pulumi

from infra.cluster import Cluster
from infra.monitoring.ports import NODE_EXPORTER_PORT
from infra.monitoring.vmagent import field_variable
from infra.monitoring.workload import Workload
from infra.names import NODE_EXPORTER
from infra.pods import Pod, Probes, Resources
from infra.settings.monitoring import MonitoringSettings

ROOT = "/host"
"""Where the pod mounts the root of the node."""
COLLECTORS = (
    "cpu",
    "diskstats",
    "filesystem",
    "loadavg",
    "meminfo",
    "netdev",
    "pressure",
    "stat",
    "timex",
    "uname",
    "vmstat",
)
"""Others would add thousands of series, such as one for each CPU and frequency."""
PODS_AND_CONTAINERS = r"/(dev|proc|run|sys|var/lib/(kubelet|rancher)/.+)($|/)"
DEVICES_OF_PODS = r"veth.+|cni.+|flannel.+|lo"


def arguments() -> list[str]:
    """The host's /proc and /sys are below its root, so that the pod needs no PID namespace of the host."""
    return [
        # Not on all addresses of the node, which may be public.
        f"--web.listen-address=$(HOST_IP):{NODE_EXPORTER_PORT}",
        f"--path.rootfs={ROOT}",
        f"--path.procfs={ROOT}/proc",
        f"--path.sysfs={ROOT}/sys",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in COLLECTORS),
        f"--collector.filesystem.mount-points-exclude=^{PODS_AND_CONTAINERS}",
        f"--collector.netdev.device-exclude=^({DEVICES_OF_PODS})$",
    ]


def node_exporter_pod(monitoring: MonitoringSettings) -> Pod:
    """The pod: unprivileged, on the host network, with the root of the node read-only."""
    return Pod(
        name=NODE_EXPORTER,
        component="exporter",
        image=monitoring.images.node_exporter,
        port=NODE_EXPORTER_PORT,
        args=arguments(),
        environment=[field_variable("HOST_IP", "status.hostIP")],
        probes=Probes(http_path="/"),
        empty_dirs=(),
        host_paths={ROOT: "/"},
        host_network=True,
        every_node=True,
        resources=Resources(cpu=20, cpu_limit=250, memory=48, disk=64),
    )


def node_exporter(
    monitoring: MonitoringSettings,
    *,
    cluster: Cluster,
    namespaces: Mapping[str, pulumi.Output[str]],
    traefik: pulumi.Resource,
) -> Workload:
    """No network policy applies to the host network. The firewall closes the port.

    Traefik of k3s uses the same port until it has the values of the program. A pod that needs a port of the node that
    is not free stays Pending.
    """
    return Workload(
        node_exporter_pod(monitoring),
        kind="DaemonSet",
        policy=None,
        namespace=namespaces[NODE_EXPORTER],
        cluster=cluster,
        depends_on=[traefik],
    )
