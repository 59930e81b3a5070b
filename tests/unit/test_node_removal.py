"""A removed node leaves in this order: records, pods, power, Node and etcd member, server, firewall and policies."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.names import DELETION_HOOK
from ops import kubernetes
from ops.__main__ import cli
from ops.node_removal.planned import removal_of
from ops.resource_types import FIREWALL, NETWORK_POLICY, PRIMARY_IP, RECORD, SERVER
from tests.unit.node_site import NodeSite, serve_node
from tests.unit.plans import plan, step, urn

NODE, OTHER = "server-4", "server-1"
PULUMI = """case "$1" in
preview) cat "$ANSWERS/plan" ;;
config) cat "$ANSWERS/config" ;;
stack) echo '{}' ;;
up)
    echo "pulumi $*" >> "$ANSWERS/calls"
    test ! -e "$ANSWERS/failing" ;;
esac"""
KUBECTL = """shift 2
case "$1" in
get) cat "$ANSWERS/nodes" ;;
*)
    status=$(curl --silent --header "Authorization: Bearer $TOKEN" "$SERVER" | tr -d ' ' |
        sed -n 's/.*"status":"\\(running\\|off\\)".*/\\1/p')
    echo "kubectl $* while the server is $status" >> "$ANSWERS/calls"
    test ! -e "$ANSWERS/failing-$1" ;;
esac"""
DELETED = ["Server::hetzner4", "PrimaryIp::hetzner4", "DnsRecord::api-hetzner4"]
NETWORK = [urn(FIREWALL, "honeydue"), urn(NETWORK_POLICY, "api")]
UP = "pulumi up --stack prod --yes --skip-preview"
WITHOUT_NETWORK = "".join(f" --exclude {each}" for each in NETWORK)
RECORDS = f"{UP} --exclude {urn(SERVER, 'hetzner4')}{WITHOUT_NETWORK}"
DRAIN = f"kubectl drain {NODE} --ignore-daemonsets --delete-emptydir-data --timeout=10m while the server is running"
UNCORDON = f"kubectl uncordon {NODE} while the server is running"
DELETE_NODE = f"kubectl delete node {NODE} --ignore-not-found --timeout=5m while the server is off"


def nodes(**ready: str) -> Sequence[Mapping[str, Any]]:
    return [
        {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": status}]}}
        for name, status in {OTHER: "True", NODE: "True", **ready}.items()
    ]


def steps(id_: int) -> list[dict[str, Any]]:
    old: Mapping[str, Any] = {
        "id": str(id_),
        "protect": False,
        "inputs": {"name": NODE, "deleteProtection": True},
        "resource_hooks": {"BeforeDelete": [DELETION_HOOK]},
    }
    return [
        step("same", SERVER, "hetzner1", old={"inputs": {"name": OTHER}}, inputs={"name": OTHER}),
        step("update", FIREWALL, "honeydue", changed=("rules[0].sourceIps[3]",)),
        step("update", NETWORK_POLICY, "api", changed=("spec.egress",)),
        step("delete", RECORD, "api-hetzner4", old={"protect": False}),
        step("delete", SERVER, "hetzner4", old=dict(old)),
        step("delete", PRIMARY_IP, "hetzner4", old=dict(old)),
    ]


def planned(id_: int) -> Mapping[str, Any]:
    return plan(*steps(id_)).model_dump(mode="json", by_alias=True)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeSite]:
    monkeypatch.setattr(kubernetes, "check_responds", lambda *_: None)
    with serve_node(tmp_path, monkeypatch, node=NODE, pulumi=PULUMI, kubectl=KUBECTL, plan=planned) as site:
        site.write_nodes(nodes())
        yield site


def up() -> Result:
    options = [option for resource in DELETED for option in ("--allow-delete", resource)]
    return CliRunner().invoke(cli, ["up", "--stack", "prod", "--yes", *options])


def test_the_records_go_first_and_the_firewall_changes_last(site: NodeSite) -> None:
    result = up()
    assert result.exit_code == 0, result.output
    assert site.calls == [RECORDS, DRAIN, DELETE_NODE, f"{UP}{WITHOUT_NETWORK}", UP]
    assert site.server["status"] == "off"
    assert "Server::hetzner4 is removed: its records are deleted first" in result.output


def test_a_node_that_cannot_be_drained_keeps_its_server_and_its_member(site: NodeSite) -> None:
    (site.answers / "failing-drain").touch()
    result = up()
    assert result.exit_code == 1
    assert site.calls == [RECORDS, DRAIN, UNCORDON]
    assert site.server["status"] == "running"
    assert "could not be drained" in result.output
    assert 'To continue: make up STACK=prod ALLOW_DELETE="' in result.output


def test_a_node_that_is_not_ready_is_not_drained(site: NodeSite) -> None:
    site.write_nodes(nodes(**{NODE: "Unknown"}))
    result = up()
    assert result.exit_code == 0, result.output
    assert site.calls == [RECORDS, DELETE_NODE, f"{UP}{WITHOUT_NETWORK}", UP]


def test_a_node_that_stays_keeps_its_server(site: NodeSite) -> None:
    (site.answers / "failing-delete").touch()
    result = up()
    assert result.exit_code == 1
    assert site.calls == [RECORDS, DRAIN, DELETE_NODE]
    assert "managed-etcd-controller" in result.output


def test_records_that_stay_stop_the_removal(site: NodeSite) -> None:
    (site.answers / "failing").touch()
    assert up().exit_code == 1
    assert site.calls == [RECORDS]
    assert site.server["status"] == "running"


def test_nothing_changes_while_the_cluster_does_not_respond(site: NodeSite) -> None:
    (site.answers / "nodes").write_text('{"items": []}')
    result = up()
    assert result.exit_code == 1
    assert not (site.answers / "calls").exists()
    assert "Nothing was changed" in result.output


def test_the_end_of_the_whole_cluster_removes_no_node() -> None:
    assert removal_of(plan(step("delete", SERVER, "hetzner1", old={"id": "1", "inputs": {"name": NODE}}))) is None
    assert removal_of(plan(step("replace", SERVER, "hetzner1", old={"id": "1", "inputs": {"name": NODE}}))) is None
