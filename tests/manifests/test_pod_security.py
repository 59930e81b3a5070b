"""Every pod meets the restricted Pod Security Standard, checked by the admission code of the API server."""

import copy
import json
import re
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from ops.adoption.effects.pod_security import restricted_violations
from tests.manifests.connectivity import pod_templates
from tests.unit.manifests import Object
from tools.cache import executable

POD_SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def violations(pods: Sequence[Object]) -> list[str]:
    """The violations of each pod template, as one text; empty for a pod that meets the standard."""
    program = executable("pod-security")
    completed = subprocess.run([program], input=json.dumps(pods), capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    messages: list[str] = json.loads(completed.stdout)
    return messages


HOST_ACCESS = {
    "node-exporter": "host namespaces, restricted volume types",
    "vlagent": "restricted volume types, runAsNonRoot != true, runAsUser=0",
}
"""The pods with access to the host, and what the standard does not permit of them."""


def test_every_pod_is_restricted_except_for_those_with_access_to_the_host(
    objects: Sequence[Object], monitored: Sequence[Object]
) -> None:
    for manifests in (objects, monitored):
        pods = {workload["metadata"]["name"]: template for workload, template in pod_templates(manifests)}
        with_access = {name: pods.pop(name) for name in HOST_ACCESS if name in pods}
        assert pods
        assert violations(list(pods.values())) == [""] * len(pods)
        messages = dict(zip(with_access, violations(list(with_access.values())), strict=True))
        for name, message in messages.items():
            assert re.sub(r" \(.*?\)(, |$)", r"\1", message) == HOST_ACCESS[name]
    assert with_access.keys() == HOST_ACCESS.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hostNetwork": True}, "host namespaces"),
        ({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, "restricted volume types"),
        ({"securityContext": {"runAsNonRoot": True}}, "seccompProfile"),
    ],
)
def test_a_violation_is_reported(example: Sequence[Object], change: Object, message: str) -> None:
    pod: Any = copy.deepcopy(
        next(template for workload, template in pod_templates(example) if workload["metadata"]["name"] == "web")
    )
    pod["spec"].update(change)
    assert message in violations([pod])[0]


CONTAINER_CHANGES: Sequence[Object] = [
    {"privileged": True},
    {"allowPrivilegeEscalation": True},
    {"capabilities": {"drop": ["NET_RAW"]}},
    {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
    {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}},
    {"runAsNonRoot": False},
    {"runAsUser": 0},
    {"seccompProfile": {"type": "Unconfined"}},
    {"procMount": "Unmasked"},
    {"seLinuxOptions": {"user": "system_u"}},
    {"appArmorProfile": {"type": "Unconfined"}},
]
POD_CHANGES: Sequence[Object] = [
    {"hostPID": True},
    {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
    {"securityContext": {"runAsNonRoot": True}},
    {"volumes": [{"name": "a", "nfs": {"server": "a", "path": "/"}}]},
    {"volumes": [{"name": "a", "configMap": {"name": "a"}}]},
    {"securityContext": {**POD_SECURITY, "sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    {"securityContext": {**POD_SECURITY, "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}},
    {"initContainers": [{"name": "b", "image": "b:1"}]},
]


def test_adoption_agrees_with_the_api_server() -> None:
    """`make adopt` judges pods before the namespace has its Pod Security level."""

    def pod(container: Object, **change: Any) -> Object:
        content = {"name": "a", "image": "a:1", "securityContext": CONTAINER_SECURITY, **container}
        return {"spec": {"securityContext": POD_SECURITY, "containers": [content], **change}}

    pods = [
        pod({}),
        pod({"ports": [{"containerPort": 80, "hostPort": 80}]}),
        pod({"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}),
        *(pod({"securityContext": {**CONTAINER_SECURITY, **change}}) for change in CONTAINER_CHANGES),
        *(pod({}, **change) for change in POD_CHANGES),
    ]
    refused = [bool(message) for message in violations(pods)]
    assert [bool(list(restricted_violations(pod["spec"]))) for pod in pods] == refused
    assert set(refused) == {True, False}
