"""The admission policy of pods and of all objects that create pods: which images run, and no access to the host.

The images are validated when a request sets them in a Deployment, a Job or another owner of pods. The pods that a
controller creates for the owner are not validated again. Otherwise, after a change of the allowed images such as
another registry, a controller could not replace a pod that runs an old image, for example after a failed rollout.
"""

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pulumi_kubernetes.admissionregistration.v1 import (
    ValidatingAdmissionPolicySpecArgs,
    ValidationArgs,
    VariableArgs,
)

from infra.cluster.admission_requests import NOT_BEING_DELETED, requests_for

POD_TEMPLATES: Mapping[str, Sequence[str]] = {
    "": ["pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers"],
    "apps": ["deployments", "statefulsets", "daemonsets", "replicasets", "replicasets/scale"],
    "batch": ["jobs", "cronjobs"],
}
DEPLOYMENT_CONTROLLER = "system:serviceaccount:kube-system:deployment-controller"
DAEMON_SET_CONTROLLER = "system:serviceaccount:kube-system:daemon-set-controller"
CONTROLLERS = (
    DEPLOYMENT_CONTROLLER,
    DAEMON_SET_CONTROLLER,
    "system:serviceaccount:kube-system:replicaset-controller",
    "system:serviceaccount:kube-system:statefulset-controller",
    "system:serviceaccount:kube-system:job-controller",
    "system:serviceaccount:kube-system:cronjob-controller",
)
"""Kubernetes' controllers of the kinds that create pods, or Jobs of an admitted CronJob.

k3s gives each controller its own account (`use-service-account-credentials`).
"""


def _pod(name: str) -> str:
    """CEL: the pod spec of an object.

    dyn(): the API server type-checks the expression against one kind at a time, and no kind has all of these fields.
    """
    return f"""
  object.kind == 'Pod' ? dyn({name}.spec) :
  object.kind == 'PodTemplate' ? dyn({name}).template.spec :
  object.kind == 'CronJob' ? dyn({name}).spec.jobTemplate.spec.template.spec :
  object.kind == 'Scale' ? dyn({{'containers': []}}) :
  dyn({name}).spec.template.spec
""".strip()


def _replicas(name: str) -> str:
    """CEL: the replicas of a ReplicaSet or of its scale, which leaves 0 out."""
    return f"(has(dyn({name}).spec.replicas) ? dyn({name}).spec.replicas : 0)"


def _containers(pod: str) -> str:
    """CEL: all containers of a pod spec."""
    return f"""
  {pod}.containers
  + (has({pod}.initContainers) ? {pod}.initContainers : [])
  + (has({pod}.ephemeralContainers) ? {pod}.ephemeralContainers : [])
""".strip()


VARIABLES: Mapping[str, str] = {
    "pod": _pod("object"),
    # The API server evaluates a variable when it is used: this one only for an update.
    "oldPod": _pod("oldObject"),
    "unchanged": "request.operation == 'UPDATE' && variables.pod == variables.oldPod",
    "containers": _containers("variables.pod"),
    "oldImages": f"request.operation == 'UPDATE' ? ({_containers('variables.oldPod')}).map(c, c.image) : []",
    # The containers whose images this request sets. Updates by controllers are validated as well: an annotation makes
    # the Deployment controller restore an old revision.
    "newImages": f"request.operation == 'CREATE' && request.userInfo.username in {json.dumps(CONTROLLERS)}"
    " ? [] : variables.containers.filter(c, !(c.image in variables.oldImages))",
}


def known_images(repositories: Sequence[str], *, registry: str | None = None) -> ValidationArgs:
    """Images by repository, and all of our registry. The rule has no tags, so that a release does not change it."""
    # No slash after the name: redis:5000/app would be an image in a registry named redis.
    by_repository = f"({'|'.join(re.escape(name) for name in repositories)})([:@][^/]+)?"
    pattern = f"^({re.escape(registry)}/.+|{by_repository})$" if registry else f"^{by_repository}$"
    allowed = f"c.image.matches({json.dumps(pattern)})"
    sources = f"from {registry}/ or of" if registry else "of"
    return ValidationArgs(
        expression=f"variables.newImages.all(c, {allowed})",
        message_expression=f"'only images {sources} {', '.join(repositories)} run here, not '"
        + f" + variables.newImages.filter(c, !({allowed})).map(c, c.image).join(', ')",
        reason="Forbidden",
    )


def pinned() -> ValidationArgs:
    """An explicit tag other than latest, or a digest."""
    pinned_image = "c.image.matches('(:[^/:@]+|@sha256:[0-9a-f]{64})$') && !c.image.matches(':latest(@|$)')"
    return ValidationArgs(
        expression=f"variables.newImages.all(c, {pinned_image})",
        message_expression="'an image needs a tag other than latest, or a digest: '"
        + f" + variables.newImages.filter(c, !({pinned_image})).map(c, c.image).join(', ')",
        reason="Forbidden",
    )


def by_digest(registry: str) -> ValidationArgs:
    """Our images by digest, so that the registry cannot exchange them. The images of existing pods may stay.

    The pods of an older ReplicaSet still start: their controller creates them. Only setting such an image is refused,
    also by `kubectl rollout undo`.
    """
    pinned_image = f"!c.image.startsWith('{registry}/') || c.image.matches('@sha256:[0-9a-f]{{64}}$')"
    return ValidationArgs(
        expression=f"variables.newImages.all(c, {pinned_image})",
        message_expression="'an image of ours needs a digest (make release): '"
        + f" + variables.newImages.filter(c, !({pinned_image})).map(c, c.image).join(', ')",
        reason="Forbidden",
    )


def no_old_revision() -> ValidationArgs:
    """Only the Deployment's controller scales a ReplicaSet up.

    A Deployment keeps the ReplicaSets of its last revisions, without pods. Their images may be from a registry that is
    no longer allowed, and their pods would not be validated.
    """
    return ValidationArgs(
        expression="request.operation == 'CREATE' || !(object.kind in ['ReplicaSet', 'Scale'])"
        f" || {_replicas('object')} <= {_replicas('oldObject')}"
        f" || request.userInfo.username == '{DEPLOYMENT_CONTROLLER}'",
        message="scale the Deployment: a ReplicaSet that is scaled up would start the images of an old revision",
        reason="Forbidden",
    )


def no_namespaces_of_the_host(*names: str) -> Mapping[str, str]:
    """CEL expressions that must hold, and the message if one does not."""
    return {
        f"!has(variables.pod.{name}) || !variables.pod.{name}": f"no pod may use a namespace of the node ({name})"
        for name in names
    }


def no_host_access() -> Sequence[ValidationArgs]:
    """No access to the host. Pod Security only checks pods; these rules also check the objects that create pods."""
    refused = {
        "!has(variables.pod.volumes) || variables.pod.volumes.all(v, !has(v.hostPath))": (
            "no volume may be a path of the node (hostPath)"
        ),
        **no_namespaces_of_the_host("hostNetwork", "hostPID", "hostIPC"),
        "variables.containers.all(c, !has(c.securityContext) || !has(c.securityContext.privileged)"
        " || !c.securityContext.privileged)": "no container may be privileged",
    }
    return [
        ValidationArgs(expression=f"variables.unchanged || ({expression})", message=message, reason="Forbidden")
        for expression, message in refused.items()
    ]


def pod_policy(
    images: ValidationArgs,
    restrictions: Sequence[ValidationArgs],
    *,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> ValidatingAdmissionPolicySpecArgs:
    """For pods and all objects that create pods. `restrictions` may read `variables` beside those of this module."""
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=requests_for(POD_TEMPLATES),
        match_conditions=[NOT_BEING_DELETED],
        variables=[VariableArgs(name=name, expression=text) for name, text in {**VARIABLES, **variables}.items()],
        validations=[images, pinned(), no_old_revision(), *restrictions],
    )
