"""A resize drains the node first, powers the server on again whatever Hetzner answers, and changes nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import cli
from ops.resize import server as resize
from rehearsal.clouds.account import Account, write_account
from tests.recipes import EXAMPLE
from tests.unit.clouds.api import TOKENS
from tests.unit.node_site import NodeSite, serve_node
from tests.unit.plans import state, urn

SERVER = "hcloud:index/server:Server"
NODE, OTHER = "server-1", "server-2"
PULUMI = """case "$1" in
preview) cat "$ANSWERS/plan" ;;
config) cat "$ANSWERS/config" ;;
stack) case "$2" in export) echo "{}" ;; history) echo "[]" ;; *) exit 1 ;; esac ;;
up)
    echo "pulumi $*" >> "$ANSWERS/calls"
    case "$*" in *--target*) ;; *) exit 0 ;; esac
    # The requests of the provider.
    act() {
        curl --silent --fail --request POST --header "Authorization: Bearer $TOKEN" --json "$2" "$SERVER/actions/$1" &&
            curl --silent --header "Authorization: Bearer $TOKEN" "$SERVER/actions"
    }
    act poweroff '{}' >> "$ANSWERS/answers" || exit 1
    act change_type '{"server_type": "cx43", "upgrade_disk": false}' >> "$ANSWERS/answers" || exit 1 ;;
esac"""
KUBECTL = """shift 2
case "$1" in
get)
    # The kubelet reports at every request.
    echo x >> "$ANSWERS/reports"
    sed "s/REPORT/$(wc -l < "$ANSWERS/reports")/" "$ANSWERS/nodes" ;;
*)
    echo "kubectl $*" >> "$ANSWERS/calls"
    test "$1" != drain || test ! -e "$ANSWERS/undrainable" ;;
esac"""
DRAIN = f"kubectl drain {NODE} --ignore-daemonsets --delete-emptydir-data --timeout=10m"
UNCORDON = f"kubectl uncordon {NODE}"
RESIZE = f"pulumi up --stack prod --yes --skip-preview --target {urn(SERVER, 'hetzner1')} --message Only hetzner1"
UP = "pulumi up --stack prod --yes --skip-preview"


def nodes(*, other_ready: bool = True) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "metadata": {"name": name, "labels": {"node-role.kubernetes.io/etcd": "true"}},
            "status": {"conditions": [{"type": "Ready", "status": str(ready), "lastHeartbeatTime": "REPORT"}]},
        }
        for name, ready in ((NODE, True), (OTHER, other_ready))
    ]


def planned(id_: int) -> Mapping[str, Any]:
    step = {
        "op": "update",
        "urn": urn(SERVER, "hetzner1"),
        "oldState": state(SERVER, "hetzner1", id=str(id_), inputs={"name": NODE, "serverType": "cx33"}),
        "newState": state(SERVER, "hetzner1", id=str(id_), inputs={"name": NODE, "serverType": "cx43"}),
        "detailedDiff": {"serverType": {"kind": "update"}},
    }
    return {"steps": [step]}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeSite]:
    monkeypatch.setattr(resize, "POLL_SECONDS", 0.02)
    with serve_node(tmp_path, monkeypatch, node=NODE, pulumi=PULUMI, kubectl=KUBECTL, plan=planned) as site:
        site.write_nodes(nodes())
        yield site


def up() -> Result:
    return CliRunner().invoke(cli, ["up", "--stack", "prod", "--yes"])


def test_a_resized_server_is_drained_first_and_the_other_changes_follow(site: NodeSite) -> None:
    result = up()
    assert result.exit_code == 0, result.output
    assert site.calls == [DRAIN, RESIZE, UNCORDON, UP]
    assert (site.server["server_type"]["name"], site.server["status"]) == ("cx43", "running")
    assert "Server::hetzner1 is resized from cx33 to cx43" in result.output


def test_a_refused_resize_leaves_the_server_on_and_applies_nothing_else(site: NodeSite, tmp_path: Path) -> None:
    write_account(tmp_path / "clouds", Account(tokens=TOKENS, sold_out={"nbg1": ["cx43"]}))
    result = up()
    assert result.exit_code == 1
    assert site.calls == [DRAIN, RESIZE, UNCORDON]
    assert (site.server["server_type"]["name"], site.server["status"]) == ("cx33", "running")
    assert "Nothing else was applied" in result.output


def test_a_node_that_cannot_be_drained_takes_pods_again_and_is_not_resized(site: NodeSite) -> None:
    (site.answers / "undrainable").touch()
    result = up()
    assert result.exit_code == 1
    assert site.calls == [DRAIN, UNCORDON]
    assert "could not be drained" in result.output
    assert site.server["status"] == "running"


def test_no_server_is_resized_while_another_node_is_lost(site: NodeSite) -> None:
    site.write_nodes(nodes(other_ready=False))
    result = up()
    assert result.exit_code == 1
    assert f"{OTHER} is not Ready" in result.output
    assert site.calls == []


def test_a_server_that_does_not_return_is_reported_with_the_commands(
    site: NodeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resize, "READY_SECONDS", 0.1)
    # The kubelet does not report again.
    (site.answers / "nodes").write_text((site.answers / "nodes").read_text().replace("REPORT", "before"))
    result = up()
    assert result.exit_code == 1
    assert site.calls == [DRAIN, RESIZE]
    assert site.server["status"] == "running"
    assert f"When it is Ready: kubectl uncordon {NODE}" in result.output


def test_a_release_resizes_no_server(site: NodeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "Pulumi.prod.yaml"
    settings.write_text((EXAMPLE / "Pulumi.prod.yaml").read_text())
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(settings))
    result = CliRunner().invoke(cli, ["release", "--stack", "prod", "--api", "0a1b2c3d4e", "--yes"])
    assert result.exit_code == 1
    assert "Run make up STACK=prod first, then release" in result.output
    assert settings.read_text() == (EXAMPLE / "Pulumi.prod.yaml").read_text()
    assert site.calls == []
