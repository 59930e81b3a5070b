"""kube-score over all that the program registers; an exemption stands beside what it exempts."""

import copy
import json
import subprocess
from collections.abc import Sequence
from typing import Any

import yaml

from tests.manifests.connectivity import templates
from tests.unit.manifests import Object
from tools import programs

CHECKER = programs.named("kube-score")
WELL = 10
"""kube-score's grade for "nothing to say"."""


def complaints(objects: Sequence[Object]) -> list[str]:
    """What kube-score finds, warnings included."""
    program = programs.installed(CHECKER) / CHECKER.name
    given = [
        "score",
        "-",
        "--output-format=json",
        "--output-version=v2",
        "--kubernetes-version=v1.34",
        "--enable-optional-test=container-seccomp-profile",
    ]
    done = subprocess.run(
        [program, *given], input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("["), done.stderr
    return [
        f"{one['object_name']}: {check['check']['id']}: {comment['summary']}"
        for one in json.loads(done.stdout)
        for check in one["checks"]
        if not check["skipped"] and check["grade"] < WELL
        for comment in check["comments"] or [{"summary": check["check"]["name"]}]
    ]


def test_kube_score_finds_nothing(objects: Sequence[Object]) -> None:
    assert complaints(objects) == []


def test_kube_score_would_find_something(example: Sequence[Object]) -> None:
    broken: list[Any] = copy.deepcopy(list(example))
    for one, template in templates(broken):
        if one["metadata"]["name"] == "api":
            template["spec"]["containers"][0]["image"] = "gitea.treytartt.com/admin/honeydue-api:latest"
    assert [one.split(": ")[1] for one in complaints(broken)] == ["container-image-tag"]


def test_no_exemption_is_stale(objects: Sequence[Object]) -> None:
    """Without its annotations every exempt object fails just the checks that it names, or some other workload of its kind does."""
    bare: list[Any] = copy.deepcopy(list(objects))
    named = set()
    for one in bare:
        annotations = one["metadata"].get("annotations") or {}
        named |= {check for check in annotations.pop("kube-score/ignore", "").split(", ") if check}
    assert {one.split(": ")[1] for one in complaints(bare)} == named
