"""A program named `pulumi`, first on PATH, that prints the plan of a test and records its other calls."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit import fake_registry
from tests.unit.site import serve

SERVICE = "kubernetes:core/v1:Service"
PRICES = {
    "asOf": "2026-04-24",
    "currency": "EUR",
    "servers": {"cx33": 6.49},
    "primaryIpv4": 0.5,
    "services": {"neon": 4.5},
}

CONFLICT = (
    "update of resource failed: Server-Side Apply field conflict detected. See https://www.pulumi.com/x for "
    'troubleshooting help.\nThe resource managed by field manager "pulumi-kubernetes-1234" had an apply conflict: '
    'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
)
"""The provider's message after `kubectl scale` (pulumi-kubernetes, await.go: handleSSAErr)."""

SCRIPT = """#!/bin/sh
case "$1 $2" in
"preview "*) echo "$HONEYDUE_ALLOW_DELETE" > "$ANSWERS/preview.allowed" ; cat "$ANSWERS/plan" ; exit ;;
"config "*) cat "$ANSWERS/settings"; exit ;;
"up "*) echo "$HONEYDUE_ALLOW_DELETE" > "$ANSWERS/up.allowed" ;;
"stack export") cat "$ANSWERS/state" ; exit ;;
"stack history") case "$*" in *"--page 1") cat "$ANSWERS/history" ;; *) echo "[]" ;; esac ; exit ;;
esac
echo "$*" >> "$ANSWERS/calls"
case "$1" in up) cat "$ANSWERS/history.after" > "$ANSWERS/history" ;; esac
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


def update(result: str = "succeeded", *, time: str = "10:00", **tags: str) -> Mapping[str, Any]:
    """An update in the history, with these image tags in its settings."""
    images = {"registry": "registry.example.com/owner", **tags}
    return {
        "version": 0,
        "kind": "update",
        "startTime": f"2026-11-26T{time}:00.000Z",
        "result": result,
        "config": {"honeydue:images": {"value": json.dumps(images), "objectValue": images, "secret": False}},
    }


def _setting(value: object) -> Mapping[str, object]:
    return {"value": value} if isinstance(value, str) else {"value": json.dumps(value), "objectValue": value}


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
    settings: Mapping[str, object] | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    records: Mapping[str, Any] | None = None,
    pending: Mapping[str, Any] | None = None,
) -> Iterator[Path]:
    """Installs the program while the block runs, and yields the file that contains its calls that change something.

    `settings` are in addition to the kubeconfig, which is that of an API server that responds unless another is given,
    and to those of a registry that has every tag.
    `failing` is the subcommand that fails. `history` has the newest update first, and an `up` adds `records` to it.
    `pending` is an operation that did not complete. Next to the file, `preview.allowed` and `up.allowed` contain the
    confirmed deletions that the program received.
    """
    answers = folder / "answers"
    answers.mkdir(exist_ok=True)
    (answers / "plan").write_text(json.dumps(plan))
    (answers / "failing").write_text(failing)
    deployment = {"resources": [state] if state else [], "pending_operations": [pending] if pending else []}
    (answers / "state").write_text(json.dumps({"deployment": deployment}))
    (answers / "history").write_text(json.dumps(history))
    (answers / "history.after").write_text(json.dumps([*([records] if records else []), *history]))
    (answers / "pulumi").write_text(SCRIPT)
    (answers / "pulumi").chmod(0o755)
    with (
        serve({"/version/": VERSION}) as api,
        monkeypatch.context() as patch,
        fake_registry.fake_registry(folder / "registry", patch),
    ):
        values = {"kubeconfig": kubeconfig or kubeconfig_for(api.url), **fake_registry.SETTINGS, **(settings or {})}
        content = {f"honeydue:{key}": _setting(value) for key, value in values.items()}
        (answers / "settings").write_text(json.dumps(content))
        patch.setenv("PATH", f"{answers}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("ANSWERS", str(answers))
        yield answers / "calls"
