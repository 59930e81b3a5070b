"""Compares pod specs with the Pod Security Standard "restricted" of Kubernetes 1.34.

The API server warns about existing pods when a namespace gets its label, also in a dry run. The warning groups the pods
and names one of each group, and it omits workloads without pods, such as a CronJob. It is therefore not used here.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ops.adoption.effects.effect import REFUSED, Effect
from ops.adoption.workloads import Workload
from ops.json_paths import dig
from ops.plan import State

LEVEL = "pod-security.kubernetes.io/enforce"
NAMESPACES = ("kubernetes:core/v1:Namespace", "kubernetes:core/v1:NamespacePatch")
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SECCOMP_PROFILES = ("RuntimeDefault", "Localhost")
SELINUX_TYPES = (None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")


def effects(workload: Workload, states: Sequence[State]) -> Iterator[Effect]:
    """The violations, if the plan enforces the level in the workload's namespace."""
    levels = {
        dig(state.inputs, "metadata", "labels", LEVEL)
        for state in states
        if state.type in NAMESPACES and dig(state.inputs, "metadata", "name") == workload.namespace
    }
    if "restricted" in levels and (violations := dict.fromkeys(restricted_violations(workload.pod))):
        yield Effect(
            problem=f"{REFUSED}: Pod Security restricted does not admit {', '.join(violations)}",
            remedy="Change the pod template, or move the workload to a namespace of its own, "
            "whose Pod Security stays as it is",
        )


def restricted_violations(pod: Mapping[str, Any]) -> Iterator[str]:
    """The fields that the standard does not allow or that it requires."""
    security = pod.get("securityContext") or {}
    yield from (field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field))
    for volume in pod.get("volumes") or ():
        yield from sorted(volume.keys() - VOLUMES - {"name"})
    yield from (f"sysctl {sysctl['name']}" for sysctl in security.get("sysctls") or () if sysctl["name"] not in SYSCTLS)
    yield from _shared_violations(security)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(field) or ():
            yield from _container_violations(container, security)


def _shared_violations(security: Mapping[str, Any]) -> Iterator[str]:
    """Violations of fields that a pod and a container have in common."""
    if security.get("runAsUser") == 0:
        yield "runAsUser: 0"
    if (security.get("seccompProfile") or {}).get("type", "RuntimeDefault") not in SECCOMP_PROFILES:
        yield "seccompProfile: Unconfined"
    if (security.get("appArmorProfile") or {}).get("type") == "Unconfined":
        yield "appArmorProfile: Unconfined"
    if (security.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess"
    selinux = security.get("seLinuxOptions") or {}
    if selinux.get("type") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield "seLinuxOptions"


def _container_violations(container: Mapping[str, Any], pod_security: Mapping[str, Any]) -> Iterator[str]:
    security = container.get("securityContext") or {}
    yield from _shared_violations(security)
    if security.get("privileged"):
        yield "privileged"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation other than false"
    capabilities = security.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "capabilities without drop: [ALL]"
    yield from (f"capability {name}" for name in capabilities.get("add") or () if name != "NET_BIND_SERVICE")
    if security.get("runAsNonRoot", pod_security.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot other than true"
    if not security.get("seccompProfile") and not pod_security.get("seccompProfile"):
        yield "a missing seccompProfile"
    if security.get("procMount") not in (None, "Default"):
        yield "procMount"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield "hostPort"
    yield from _host_checks(container)


def _host_checks(container: Mapping[str, Any]) -> Iterator[str]:
    """Probes and hooks that connect to another host (since Kubernetes 1.34)."""
    lifecycle = container.get("lifecycle") or {}
    handlers = [
        *(container.get(field) or {} for field in ("startupProbe", "readinessProbe", "livenessProbe")),
        *(lifecycle.get(field) or {} for field in ("postStart", "preStop")),
    ]
    if any((handler.get(action) or {}).get("host") for handler in handlers for action in ("httpGet", "tcpSocket")):
        yield "host in a probe or hook"
