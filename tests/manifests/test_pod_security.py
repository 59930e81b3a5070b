"""Every pod against *restricted*, by the API server's own code."""

import copy
import json
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from tests.manifests.connectivity import templates
from tests.unit.manifests import Object
from tools import programs

CHECKER = programs.named("pod-security")


def violations(pods: Sequence[Object]) -> list[str]:
    """What each violates; empty for a good one."""
    program = programs.installed(CHECKER) / CHECKER.name
    done = subprocess.run([program], input=json.dumps(pods), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: list[str] = json.loads(done.stdout)
    return said


def test_every_pod_is_restricted(objects: Sequence[Object]) -> None:
    pods = [template for _, template in templates(objects)]
    assert pods
    assert violations(pods) == [""] * len(pods)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hostNetwork": True}, "host namespaces"),
        ({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, "restricted volume types"),
        ({"securityContext": {"runAsNonRoot": True}}, "seccompProfile"),
    ],
)
def test_a_pod_that_is_not_would_be_found(example: Sequence[Object], change: Object, words: str) -> None:
    pod: Any = copy.deepcopy(next(template for one, template in templates(example) if one["metadata"]["name"] == "web"))
    pod["spec"].update(change)
    assert words in violations([pod])[0]
