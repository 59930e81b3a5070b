"""A program named `pulumi`, first on PATH, that prints the plan of a test and records its other calls."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.site import serve

SERVICE = "kubernetes:core/v1:Service"
PRICES = {
    "asOf": "2026-04-24",
    "currency": "EUR",
    "servers": {"cx33": 6.49},
    "primaryIpv4": 0.5,
    "services": {"neon": 4.5},
}

SCRIPT = """#!/bin/sh
case "$1 $2" in
"preview "*) echo "$HONEYDUE_ALLOW_DELETE" > "$ANSWERS/preview.allowed" ; cat "$ANSWERS/plan" ; exit ;;
"config --stack") cat "$ANSWERS/settings"; exit ;;
"up "*) echo "$HONEYDUE_ALLOW_DELETE" > "$ANSWERS/up.allowed" ;;
"stack export") cat "$ANSWERS/state" ;;
esac
echo "$*" >> "$ANSWERS/calls"
case "$*" in "$(cat "$ANSWERS/failing")"*) exit 1 ;; esac
"""


VERSION = json.dumps(
    dict.fromkeys(
        ("buildDate", "compiler", "gitCommit", "gitTreeState", "gitVersion", "goVersion", "major", "minor", "platform"),
        "",
    )
).encode()


def kubeconfig_for(server: str) -> str:
    """A kubeconfig with a token for an API server."""
    name = {"name": "default"}
    content = {
        "clusters": [{**name, "cluster": {"server": server}}],
        "users": [{**name, "user": {"token": "kubernetes-token"}}],
        "contexts": [{**name, "context": {"cluster": "default", "user": "default"}}],
    }
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **content})


def plan(*ops: str, error: str = "") -> Mapping[str, Any]:
    """A plan with one Service for each operation."""
    return {
        "config": {"honeydue:prices": json.dumps(PRICES), "honeydue:kubeconfig": "[secret]"},
        "steps": [_step(op, f"api{number}") for number, op in enumerate(ops)],
        "diagnostics": [{"message": error, "severity": "error"}] if error else [],
    }


def _step(op: str, name: str) -> Mapping[str, Any]:
    urn = f"urn:pulumi:prod::honeydue::honeydue:apps:Workload${SERVICE}::{name}"
    state = {"urn": urn, "type": SERVICE, "custom": True, "protect": True}
    changed = {"spec.ports[0].port": {"kind": "update"}} if op == "update" else None
    return {
        "op": op,
        "urn": urn,
        "oldState": None if op == "create" else state,
        "newState": None if op == "delete" else state,
        "detailedDiff": changed,
    }


@contextmanager
def fake_engine(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    plan: Mapping[str, Any],
    failing: str = "none",
    state: Mapping[str, Any] | None = None,
    kubeconfig: str | None = None,
) -> Iterator[Path]:
    """Installs the program while the block runs, and yields the file that contains its calls that may change something.

    The kubeconfig of the settings is that of an API server that responds, unless another is given.
    `failing` is the subcommand that fails. Next to the file, `preview.allowed` and `up.allowed` contain the confirmed
    deletions that the program received.
    """
    answers = folder / "answers"
    answers.mkdir(exist_ok=True)
    (answers / "plan").write_text(json.dumps(plan))
    (answers / "failing").write_text(failing)
    (answers / "state").write_text(json.dumps({"deployment": {"resources": [state] if state else []}}))
    (answers / "pulumi").write_text(SCRIPT)
    (answers / "pulumi").chmod(0o755)
    with serve({"/version/": VERSION}) as api, monkeypatch.context() as patch:
        settings = {"honeydue:kubeconfig": {"value": kubeconfig or kubeconfig_for(api.url)}}
        (answers / "settings").write_text(json.dumps(settings))
        patch.setenv("PATH", f"{answers}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("ANSWERS", str(answers))
        yield answers / "calls"
