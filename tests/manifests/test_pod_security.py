"""Every pod meets the restricted Pod Security Standard, checked by the admission code of the API server."""

import copy
import json
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from tests.manifests.connectivity import pod_templates
from tests.unit.manifests import Object
from tools.cache import executable


def violations(pods: Sequence[Object]) -> list[str]:
    """The violations of each pod template, as one text; empty for a pod that meets the standard."""
    program = executable("pod-security")
    completed = subprocess.run([program], input=json.dumps(pods), capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    messages: list[str] = json.loads(completed.stdout)
    return messages


def test_every_pod_is_restricted(objects: Sequence[Object]) -> None:
    pods = [template for _, template in pod_templates(objects)]
    assert pods
    assert violations(pods) == [""] * len(pods)


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
