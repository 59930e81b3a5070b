"""One pod of honeyDue: what an app says about itself, and the hardened pod that follows (book ch05, ch07)."""

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
"""User and group of our own images: above every id a node knows."""
DRAIN_SECONDS = 5
"""Endpoints take a moment to forget a pod; it keeps serving that long before it is told to stop."""
HOSTNAME = "kubernetes.io/hostname"


def millicores(amount: int) -> str:
    """As the API server writes it back: anything else would read as drift for ever."""
    return f"{amount}m" if amount % 1000 else str(amount // 1000)


def mebibytes(amount: int) -> str:
    """As the API server writes it back."""
    return f"{amount}Mi" if amount % 1024 else f"{amount // 1024}Gi"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Requests and limits; CPU in millicores, memory and scratch space in MiB. Memory is requested in full: no overcommit."""

    cpu: int
    cpu_limit: int
    memory: int
    scratch: int = 256

    def args(self) -> ResourceRequirementsArgs:
        fixed = {"memory": mebibytes(self.memory), "ephemeral-storage": mebibytes(self.scratch)}
        return ResourceRequirementsArgs(
            requests={"cpu": millicores(self.cpu), **fixed},
            limits={"cpu": millicores(self.cpu_limit), **fixed},
        )


@dataclass(frozen=True, kw_only=True)
class Probes:
    """One question, asked for three purposes. `startup_failures` times 5 s is the longest start allowed."""

    http_path: str | None = None
    command: Sequence[str] | None = None
    startup_failures: int = 12

    def ask(self, *, every: int, failures: int) -> ProbeArgs:
        return ProbeArgs(
            http_get=HTTPGetActionArgs(path=self.http_path, port="http") if self.http_path else None,
            exec_=ExecActionArgs(command=list(self.command)) if self.command else None,
            period_seconds=every,
            timeout_seconds=3,
            failure_threshold=failures,
        )


EXEMPT = {
    "container-image-pull-policy": "tags never move, and 'Always' keeps pods from restarting while the registry is down (book ch20)",
    "pod-probes-identical": "the images answer one path; liveness asks it far more patiently than readiness",
}
"""Checks of kube-score that no app of ours passes, and why."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What is special about an app's pod.

    `reads` is the checksum of the configuration it reads; `scratch` lists the paths it writes to, all else is read-only;
    `singleton` means two at once do harm; `node` pins it to a hostname.

    Its connections: it calls what it `talks_to`; its port is reached by the apps in `reached_from`, and from outside through Traefik
    when it is `routed`. What is not said here is refused. Caller and called both say so: neither opens itself
    to the other unasked.

    `exempt` are checks of kube-score that it fails on purpose, and why.
    """

    name: str
    image: str
    resources: Resources
    part: str = "app"
    port: int | None = None
    port_name: str = "http"
    command: Sequence[str] | None = None
    args: Sequence[pulumi.Input[str]] | None = None
    environment: Sequence[EnvVarArgs] = ()
    environment_from: Sequence[EnvFromSourceArgs] = ()
    probes: Probes | None = None
    reads: pulumi.Output[str] | None = None
    scratch: Sequence[str] = ("/tmp",)  # noqa: S108  # a mount inside the container
    secret_files: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    singleton: bool = False
    node: str | None = None
    user: int = UNPRIVILEGED
    restart_policy: str = "Always"
    talks_to: Sequence[Destination] = ()
    reached_from: Sequence[str] = ()
    routed: bool = False
    exempt: Mapping[str, str] = field(default_factory=dict)

    @property
    def listening_port(self) -> int:
        if self.port is None:
            raise ValueError(f"{self.name} listens on no port, so it has no Service")
        return self.port


def labels(pod: Pod, selector: Labels) -> Labels:
    """Kubernetes' recommended labels. The version is left to the image: as a label it would roll nothing and say nothing more.

    What the app is found by has the last word: an adopted app may use one of these names for another value.
    """
    return {
        "app.kubernetes.io/name": pod.name,
        "app.kubernetes.io/instance": pod.name,
        "app.kubernetes.io/component": pod.part,
        "app.kubernetes.io/part-of": "honeydue",
        "app.kubernetes.io/managed-by": "pulumi",
        **selector,
    }


def exemptions(pod: Pod) -> Mapping[str, str]:
    """As kube-score reads them from what makes the pod."""
    return {"kube-score/ignore": ", ".join(sorted({*EXEMPT, *pod.exempt}))}


def _mounts(pod: Pod) -> tuple[list[VolumeArgs], list[VolumeMountArgs]]:
    volumes, mounts = [], []
    for number, path in enumerate(pod.scratch):
        size = mebibytes(pod.resources.scratch // 2)
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
    served = pod.port is not None
    return ContainerArgs(
        name=pod.name,
        image=pod.image,
        # Tags are git commits and never move.
        image_pull_policy="IfNotPresent",
        command=list(pod.command) if pod.command else None,
        args=list(pod.args) if pod.args else None,
        ports=[ContainerPortArgs(name=pod.port_name, container_port=pod.listening_port)] if served else None,
        env=list(pod.environment) or None,
        env_from=list(pod.environment_from) or None,
        startup_probe=pod.probes.ask(every=5, failures=pod.probes.startup_failures) if pod.probes else None,
        readiness_probe=pod.probes.ask(every=5, failures=3) if pod.probes else None,
        # Far more patient than readiness: a slow database takes a pod out of rotation, it must not kill it.
        liveness_probe=pod.probes.ask(every=15, failures=6) if pod.probes else None,
        lifecycle=LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=DRAIN_SECONDS)))
        if served
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
    """The pod: Pod Security *restricted*, read-only root, no token, spread over the nodes."""
    volumes, mounts = _mounts(pod)
    alike = LabelSelectorArgs(match_labels=selector)
    spread = not pod.singleton and pod.restart_policy == "Always"
    return PodSpecArgs(
        containers=[_container(pod, mounts)],
        volumes=volumes or None,
        service_account_name=pod.name,
        automount_service_account_token=False,
        # Otherwise every Service of the namespace becomes variables, and one named "redis" sets REDIS_PORT to a URL.
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
        # Both are wishes: with a node down its pods must still find a place on the other two.
        topology_spread_constraints=[
            TopologySpreadConstraintArgs(
                max_skew=1,
                topology_key=HOSTNAME,
                when_unsatisfiable="ScheduleAnyway",
                label_selector=alike,
                match_label_keys=["pod-template-hash"],
            )
        ]
        if spread
        else None,
        affinity=AffinityArgs(
            pod_anti_affinity=PodAntiAffinityArgs(
                preferred_during_scheduling_ignored_during_execution=[
                    WeightedPodAffinityTermArgs(
                        weight=100, pod_affinity_term=PodAffinityTermArgs(label_selector=alike, topology_key=HOSTNAME)
                    )
                ]
            )
        )
        if spread
        else None,
    )
