"""A simulated Hetzner with one server, a cluster with its Node, and stubs of `pulumi` and `kubectl`."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops import kubernetes
from rehearsal.clouds.account import Account, write_account
from tests.unit import fake_registry
from tests.unit.capture import example_settings
from tests.unit.clouds.api import HETZNER_TOKEN, TOKENS, Api, served
from tests.unit.clouds.hetzner.requests import create_server
from tests.unit.stubs import write_stub


@dataclass(frozen=True, kw_only=True)
class NodeSite:
    """The files in `answers` are read by the stubs, which record their calls there. `path` is that of the server."""

    api: Api
    answers: Path
    path: str

    @property
    def server(self) -> Mapping[str, Any]:
        server: Mapping[str, Any] = self.api("GET", self.path).json["server"]
        return server

    @property
    def calls(self) -> list[str]:
        file = self.answers / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def nodes(self) -> Any:
        """The Nodes, as the Kubernetes client returns them."""
        return json.loads((self.answers / "nodes").read_text())["items"]

    def write_nodes(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        (self.answers / "nodes").write_text(json.dumps({"items": nodes}))


@contextmanager
def serve_node(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    node: str,
    pulumi: str,
    kubectl: str,
    plan: Callable[[int], Mapping[str, Any]],
) -> Iterator[NodeSite]:
    """Runs the APIs with a server of this name. `plan` returns what a preview prints, from the id of the server."""
    clouds, answers = folder / "clouds", folder / "answers"
    clouds.mkdir()
    write_account(clouds, Account(tokens=TOKENS))
    write_stub(answers, "pulumi", pulumi)
    write_stub(answers, "kubectl", kubectl)
    api = Api("hetzner", clouds)
    id_ = create_server(api, node, location="nbg1")["id"]
    site = NodeSite(api=api, answers=answers, path=f"/servers/{id_}")
    settings = {"hetznerToken": HETZNER_TOKEN, "kubeconfig": "a kubeconfig"}
    config: dict[str, object] = {f"honeydue:{key}": {"value": value} for key, value in settings.items()}
    config |= fake_registry.STORED
    cluster = example_settings()["honeydue:cluster"]
    (answers / "config").write_text(json.dumps(config | {"honeydue:cluster": {"objectValue": cluster}}))
    (answers / "plan").write_text(json.dumps(plan(id_)))
    monkeypatch.setattr(kubernetes, "connect", lambda *_: nullcontext(site))
    monkeypatch.setenv("PATH", f"{answers}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ANSWERS", str(answers))
    monkeypatch.setenv("TOKEN", HETZNER_TOKEN)
    with served(clouds) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SERVER", f"{variables['HCLOUD_ENDPOINT']}/servers/{id_}")
        yield site
