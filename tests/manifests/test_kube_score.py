"""kube-score accepts every manifest of the program. The exemptions are annotations of the objects that they exempt."""

import copy
import json
import subprocess
from collections.abc import Sequence
from typing import Any

import yaml

from tests.manifests.connectivity import pod_templates
from tests.unit.manifests import Object
from tools.cache import executable

OK_GRADE = 10
"""The grade of a check without warnings."""


def findings(objects: Sequence[Object]) -> list[str]:
    """The errors and warnings of kube-score, as `object: check: summary`."""
    program = executable("kube-score")
    arguments = [
        "score",
        "-",
        "--output-format=json",
        "--output-version=v2",
        "--kubernetes-version=v1.34",
        "--enable-optional-test=container-seccomp-profile",
    ]
    completed = subprocess.run(
        [program, *arguments], input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False
    )
    assert completed.stdout.startswith("["), completed.stderr
    return [
        f"{result['object_name']}: {check['check']['id']}: {comment['summary']}"
        for result in json.loads(completed.stdout)
        for check in result["checks"]
        if not check["skipped"] and check["grade"] < OK_GRADE
        for comment in check["comments"] or [{"summary": check["check"]["name"]}]
    ]


def test_kube_score_reports_nothing(objects: Sequence[Object]) -> None:
    assert findings(objects) == []


def test_kube_score_reports_an_image_with_the_tag_latest(example: Sequence[Object]) -> None:
    broken: list[Any] = copy.deepcopy(list(example))
    for workload, template in pod_templates(broken):
        if workload["metadata"]["name"] == "api":
            template["spec"]["containers"][0]["image"] = "gitea.treytartt.com/admin/honeydue-api:latest"
    assert [finding.split(": ")[1] for finding in findings(broken)] == ["container-image-tag"]


def test_every_exemption_is_needed(objects: Sequence[Object]) -> None:
    """Without the annotations, kube-score reports exactly the checks that the annotations exempt."""
    without_annotations: list[Any] = copy.deepcopy(list(objects))
    exempted = set()
    for manifest in without_annotations:
        annotations = manifest["metadata"].get("annotations") or {}
        exempted |= {check for check in annotations.pop("kube-score/ignore", "").split(", ") if check}
    assert {finding.split(": ")[1] for finding in findings(without_annotations)} == exempted
