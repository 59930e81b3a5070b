"""The pod of an app: the values that differ between apps, and the hardened pod spec that is built from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.core.v1 import (
    AffinityArgs,
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvFromSourceArgs,
    EnvVarArgs,
    ExecActionArgs,
    HTTPGetActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    LocalObjectReferenceArgs,
    PersistentVolumeClaimVolumeSourceArgs,
    PodAffinityTermArgs,
    PodAntiAffinityArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    SecretVolumeSourceArgs,
    SecurityContextArgs,
    SleepActionArgs,
    TopologySpreadConstraintArgs,
    VolumeArgs,
    VolumeMountArgs,
    WeightedPodAffinityTermArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs

from infra.apps.config import REGISTRY
from infra.cluster.network_policies import Destination
from infra.settings.adopted import Labels

UNPRIVILEGED = 10001
"""User and group of our images. The id is above all ids of a node's users."""
DRAIN_SECONDS = 5
"""A terminating pod serves requests for this time, because endpoints are updated with a delay."""
MAX_SURGE = 1
"""Pods that a rolling update starts before it stops old ones."""
HOSTNAME = "kubernetes.io/hostname"


def millicores(amount: int) -> str:
    """The canonical form of the API server. Any other form would be a permanent diff."""
    return f"{amount}m" if amount % 1000 else str(amount // 1000)


def mebibytes(amount: int) -> str:
    """The canonical form of the API server."""
    return f"{amount}Mi" if amount % 1024 else f"{amount // 1024}Gi"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """CPU in millicores, memory and disk in MiB. Memory and disk have equal requests and limits: no overcommit."""

    cpu: int
    cpu_limit: int
    memory: int
    disk: int = 256

    def args(self) -> ResourceRequirementsArgs:
        fixed = {"memory": mebibytes(self.memory), "ephemeral-storage": mebibytes(self.disk)}
        return ResourceRequirementsArgs(
            requests={"cpu": millicores(self.cpu), **fixed},
            limits={"cpu": millicores(self.cpu_limit), **fixed},
        )


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The most pods that an app has at a time, and the resources of each."""

    pods: int
    resources: Resources

    @classmethod
    def of(cls, resources: Resources, *, replicas: int) -> "Demand":
        """Twice the replicas and the surge of a release.

        The pods of the old release still count while they terminate, and so do those of a failed node.
        """
        return cls(pods=2 * replicas + MAX_SURGE, resources=resources)


@dataclass(frozen=True, kw_only=True)
class Probes:
    """The check of the startup, readiness and liveness probes. A start may take `startup_failures` × 5 s."""

    http_path: str | None = None
    command: Sequence[str] | None = None
    startup_failures: int = 12

    def args(self, *, period: int, failures: int) -> ProbeArgs:
        return ProbeArgs(
            http_get=HTTPGetActionArgs(path=self.http_path, port="http") if self.http_path else None,
            exec_=ExecActionArgs(command=list(self.command)) if self.command else None,
            period_seconds=period,
            timeout_seconds=3,
            failure_threshold=failures,
        )


EXEMPTIONS = {
    "container-image-pull-policy": "tags are immutable; with Always, no pod could restart while the registry is down",
    "pod-probes-identical": "the images have one health path; liveness has a higher failure threshold than readiness",
}
"""Checks of kube-score that do not apply to any app, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """The values that differ between the pods of the apps.

    `component` is the value of the recommended label. `config_checksum` covers the configuration that the pod reads.
    `empty_dirs` are the writable paths; everything else is read-only. `secret_files` and `claims` are mounted by path.
    A `singleton` must not run twice at once. `node` is the hostname of the only node that may run the pod.

    Connections: `egress` are the destinations of the pod. `allow_from` are the apps that may connect to its port, and
    Traefik may if the app is `exposed`. All other connections are denied. Both sides must declare a connection.

    `exemptions` are checks of kube-score that do not apply, with the reason.
    """

    name: str
    image: str
    resources: Resources
    component: str = "app"
    port: int | None = None
    port_name: str = "http"
    command: Sequence[str] | None = None
    args: Sequence[pulumi.Input[str]] | None = None
    environment: Sequence[EnvVarArgs] = ()
    environment_from: Sequence[EnvFromSourceArgs] = ()
    probes: Probes | None = None
    config_checksum: pulumi.Output[str] | None = None
    empty_dirs: Sequence[str] = ("/tmp",)  # noqa: S108  # a mount inside the container
    secret_files: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    singleton: bool = False
    node: str | None = None
    user: int = UNPRIVILEGED
    restart_policy: str = "Always"
    egress: Sequence[Destination] = ()
    allow_from: Sequence[str] = ()
    exposed: bool = False
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


def _mounts(pod: Pod) -> tuple[list[VolumeArgs], list[VolumeMountArgs]]:
    volumes, mounts = [], []
    # Another name for these volumes would roll all pods.
    for number, path in enumerate(pod.empty_dirs):
        size = mebibytes(pod.resources.disk // 2)
        volumes.append(VolumeArgs(name=f"scratch-{number}", empty_dir=EmptyDirVolumeSourceArgs(size_limit=size)))
        mounts.append(VolumeMountArgs(name=f"scratch-{number}", mount_path=path))
    for path, secret in pod.secret_files.items():
        volumes.append(VolumeArgs(name=secret, secret=SecretVolumeSourceArgs(secret_name=secret, default_mode=0o440)))
        mounts.append(VolumeMountArgs(name=secret, mount_path=path, read_only=True))
    for path, claim in pod.claims.items():
        volumes.append(
            VolumeArgs(name=claim, persistent_volume_claim=PersistentVolumeClaimVolumeSourceArgs(claim_name=claim))
        )
        mounts.append(VolumeMountArgs(name=claim, mount_path=path))
    return volumes, mounts


def _container(pod: Pod, mounts: list[VolumeMountArgs]) -> ContainerArgs:
    has_port = pod.port is not None
    return ContainerArgs(
        name=pod.name,
        image=pod.image,
        # Tags are git commits and immutable.
        image_pull_policy="IfNotPresent",
        command=list(pod.command) if pod.command else None,
        args=list(pod.args) if pod.args else None,
        ports=[ContainerPortArgs(name=pod.port_name, container_port=pod.listening_port)] if has_port else None,
        env=list(pod.environment) or None,
        env_from=list(pod.environment_from) or None,
        startup_probe=pod.probes.args(period=5, failures=pod.probes.startup_failures) if pod.probes else None,
        readiness_probe=pod.probes.args(period=5, failures=3) if pod.probes else None,
        # A higher threshold than readiness: a slow database must not restart the pod, only remove it from the
        # endpoints.
        liveness_probe=pod.probes.args(period=15, failures=6) if pod.probes else None,
        lifecycle=LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=DRAIN_SECONDS)))
        if has_port
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
    """The pod spec: Pod Security "restricted", read-only root, no token, spread over the nodes."""
    volumes, mounts = _mounts(pod)
    same_app = LabelSelectorArgs(match_labels=selector)
    spread = not pod.singleton and pod.restart_policy == "Always"
    return PodSpecArgs(
        containers=[_container(pod, mounts)],
        volumes=volumes or None,
        service_account_name=pod.name,
        automount_service_account_token=False,
        # Otherwise every Service of the namespace sets variables, and a Service named "redis" sets REDIS_PORT to a URL.
        enable_service_links=False,
        image_pull_secrets=[LocalObjectReferenceArgs(name=REGISTRY)],
        restart_policy=pod.restart_policy,
        node_selector={HOSTNAME: pod.node} if pod.node else None,
        security_context=PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=pod.user,
            run_as_group=pod.user,
            fs_group=pod.user,
            seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
        ),
        # Both are soft constraints: when a node fails, its pods must be schedulable on the other two.
        topology_spread_constraints=[
            TopologySpreadConstraintArgs(
                max_skew=1,
                topology_key=HOSTNAME,
                when_unsatisfiable="ScheduleAnyway",
                label_selector=same_app,
                match_label_keys=["pod-template-hash"],
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
