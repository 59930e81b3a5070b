"""A pod with one container: the values that differ between pods, and the hardened pod spec that is built from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.core.v1 import (
    AffinityArgs,
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    EnvFromSourceArgs,
    EnvVarArgs,
    ExecActionArgs,
    HTTPGetActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    LocalObjectReferenceArgs,
    PodAffinityTermArgs,
    PodAntiAffinityArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    ProbeArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
    SleepActionArgs,
    TolerationArgs,
    TopologySpreadConstraintArgs,
    VolumeMountArgs,
    WeightedPodAffinityTermArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs

from infra.names import HOSTNAME
from infra.pods.resources import Resources
from infra.pods.volumes import Mounts
from infra.settings.adopted import Labels

ROOT = 0
UNPRIVILEGED = 10001
"""User and group of our images. The id is above all ids of a node's users."""
DRAIN_SECONDS = 5
"""A terminating pod serves requests for this time, because endpoints are updated with a delay."""


@dataclass(frozen=True, kw_only=True)
class Probes:
    """The check of the startup, readiness and liveness probes. A start may take `startup_failures` × 5 s."""

    http_path: str | None = None
    command: Sequence[str] | None = None
    startup_failures: int = 12

    def args(self, *, port: str, period: int, failures: int) -> ProbeArgs:
        return ProbeArgs(
            http_get=HTTPGetActionArgs(path=self.http_path, port=port) if self.http_path else None,
            exec_=ExecActionArgs(command=list(self.command)) if self.command else None,
            period_seconds=period,
            timeout_seconds=3,
            failure_threshold=failures,
        )


EXEMPTIONS = {
    "container-image-pull-policy": "tags are immutable; with Always, no pod could restart while the registry is down",
    "pod-probes-identical": "the images have one health path; liveness has a higher failure threshold than readiness",
}
"""Checks of kube-score that do not apply to any pod, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Pod(Mounts):
    """The values that differ between pods.

    `component` is the value of the recommended label. `config_checksum` covers the configuration that the pod reads.
    Everything but `empty_dirs` and `host_directories` is read-only; each empty directory has
    `empty_dir_mi` MiB, by default half of the pod's disk.
    `exemptions` are checks of kube-score that do not apply, with the reason.

    A `singleton` must not run twice at once. `node` is the hostname of the only node that may run the pod. With
    `every_node` it is the pod of a DaemonSet, also for nodes that are not ready. With `distinct_nodes`, a replica waits
    rather than run beside another one; by default the scheduler only prefers other nodes. `priority_class` lets it
    displace pods of a lower priority.

    `service_account_token` is for a pod that uses the Kubernetes API. `host_network` is for one that listens on an
    address of its node. It has no port that only the cluster reaches, and no network policy applies to it.
    """

    name: str
    image: str
    resources: Resources
    component: str = "app"
    port: int | None = None
    port_name: str = "http"
    other_ports: Mapping[str, int] = field(default_factory=dict)
    command: Sequence[str] | None = None
    args: Sequence[pulumi.Input[str]] | None = None
    environment: Sequence[EnvVarArgs] = ()
    environment_from: Sequence[EnvFromSourceArgs] = ()
    probes: Probes | None = None
    config_checksum: pulumi.Output[str] | None = None
    empty_dir_mi: int | None = None
    singleton: bool = False
    node: str | None = None
    every_node: bool = False
    distinct_nodes: bool = False
    priority_class: str | None = None
    service_account_token: bool = False
    host_network: bool = False
    pull_secret: str | None = None
    user: int = UNPRIVILEGED
    restart_policy: str = "Always"
    exemptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def listening_port(self) -> int:
        if self.port is None:
            raise ValueError(f"{self.name} listens on no port, so it has no Service")
        return self.port


def labels(pod: Pod, selector: Labels) -> Labels:
    """Kubernetes' recommended labels, without the version, which the image tag already contains.

    The selector overrides them, because an adopted app may use one of these labels with another value.
    """
    return {
        "app.kubernetes.io/name": pod.name,
        "app.kubernetes.io/instance": pod.name,
        "app.kubernetes.io/component": pod.component,
        "app.kubernetes.io/part-of": "honeydue",
        "app.kubernetes.io/managed-by": "pulumi",
        **selector,
    }


def kube_score_annotation(pod: Pod) -> Mapping[str, str]:
    """The annotation from which kube-score reads exemptions."""
    return {"kube-score/ignore": ", ".join(sorted({*EXEMPTIONS, *pod.exemptions}))}


def _container(pod: Pod, mounts: list[VolumeMountArgs]) -> ContainerArgs:
    ports = {**({pod.port_name: pod.port} if pod.port is not None else {}), **pod.other_ports}

    def probe(*, period: int, failures: int) -> ProbeArgs | None:
        return pod.probes.args(port=pod.port_name, period=period, failures=failures) if pod.probes else None

    return ContainerArgs(
        name=pod.name,
        image=pod.image,
        # Tags are git commits and immutable.
        image_pull_policy="IfNotPresent",
        command=list(pod.command) if pod.command else None,
        args=list(pod.args) if pod.args else None,
        ports=[ContainerPortArgs(name=name, container_port=port) for name, port in ports.items()] or None,
        env=list(pod.environment) or None,
        env_from=list(pod.environment_from) or None,
        startup_probe=probe(period=5, failures=pod.probes.startup_failures if pod.probes else 0),
        readiness_probe=probe(period=5, failures=3),
        # A higher threshold than readiness: a slow database must not restart the pod, only remove it from the
        # endpoints.
        liveness_probe=probe(period=15, failures=6),
        lifecycle=LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=DRAIN_SECONDS)))
        if ports
        else None,
        resources=pod.resources.args(),
        security_context=SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            privileged=False,
            capabilities=CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=mounts or None,
    )


def pod_spec(pod: Pod, selector: Labels) -> PodSpecArgs:
    """The pod spec: Pod Security "restricted", read-only root, no token by default, spread over the nodes."""
    size = pod.resources.disk // 2 if pod.empty_dir_mi is None else pod.empty_dir_mi
    volumes = list(pod.volumes(empty_dir_mi=size))
    same_app = LabelSelectorArgs(match_labels=selector)
    spread = not pod.singleton and not pod.every_node and pod.restart_policy == "Always"
    return PodSpecArgs(
        containers=[_container(pod, [mount for _, mount in volumes])],
        volumes=[volume for volume, _ in volumes] or None,
        service_account_name=pod.name,
        automount_service_account_token=pod.service_account_token,
        # Otherwise every Service of the namespace sets variables, and a Service named "redis" sets REDIS_PORT to a URL.
        enable_service_links=False,
        image_pull_secrets=[LocalObjectReferenceArgs(name=pod.pull_secret)] if pod.pull_secret else None,
        restart_policy=pod.restart_policy,
        priority_class_name=pod.priority_class,
        node_selector={HOSTNAME: pod.node} if pod.node else None,
        host_network=True if pod.host_network else None,
        tolerations=[TolerationArgs(operator="Exists")] if pod.every_node else None,
        security_context=PodSecurityContextArgs(
            run_as_non_root=pod.user != ROOT,
            run_as_user=pod.user,
            run_as_group=pod.user,
            fs_group=pod.user,
            seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
        ),
        # Both are soft constraints by default: when a node fails, its pods must be schedulable on the other two.
        topology_spread_constraints=[
            TopologySpreadConstraintArgs(
                max_skew=1,
                topology_key=HOSTNAME,
                when_unsatisfiable="DoNotSchedule" if pod.distinct_nodes else "ScheduleAnyway",
                label_selector=same_app,
                match_label_keys=["pod-template-hash"],
                # A node that is down is no place that must get a pod first. Otherwise the one of two nodes that is left
                # could not run both pods.
                node_taints_policy="Honor" if pod.distinct_nodes else None,
            )
        ]
        if spread
        else None,
        affinity=AffinityArgs(
            pod_anti_affinity=PodAntiAffinityArgs(
                preferred_during_scheduling_ignored_during_execution=[
                    WeightedPodAffinityTermArgs(
                        weight=100,
                        pod_affinity_term=PodAffinityTermArgs(label_selector=same_app, topology_key=HOSTNAME),
                    )
                ]
            )
        )
        if spread
        else None,
    )
