"""The nodes run containers: pod network, network policies, DNS and logs work."""

import json

import pytest
import yaml

from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.retry import eventually

from .toolbox import pod

NAMESPACE = "node-test"
SERVE = "exec traefik --ping --entryPoints.traefik.address=:8080 --global.checkNewVersion=false"
REQUEST = r"exec 3<>/dev/tcp/server.node-test.svc.cluster.local/8080; printf 'GET /ping HTTP/1.0\r\n\r\n' >&3; cat <&3"
"""Connects by the name of the Service, which needs DNS, kube-proxy and the network between two nodes."""


@pytest.fixture(scope="module", autouse=True)
def server_and_clients(real: World) -> None:
    """A server and two clients on three nodes, and a network policy that allows one of the clients."""
    nodes = [node["metadata"]["name"] for node in real.kubectl_json("get", "nodes")["items"]]
    pods = [
        pod(
            "server",
            SERVE,
            node=nodes[0],
            readinessProbe={"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1},
        ),
        pod("allowed-client", "echo hello from $(id -u); exec sleep infinity", node=nodes[1]),
        pod("other-client", "exec sleep infinity", node=nodes[2]),
    ]
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 8080}]},
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "server", "namespace": NAMESPACE},
        "spec": {
            "podSelector": {"matchLabels": {"app": "server"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "allowed-client"}}}]}],
        },
    }
    real.kubectl("create", "--filename=-", stdin=yaml.safe_dump_all([namespace]))
    real.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={NAMESPACE}", "--timeout=30s")
    real.kubectl(
        "create", "--filename=-", f"--namespace={NAMESPACE}", stdin=yaml.safe_dump_all([service, policy, *pods])
    )
    real.kubectl("wait", "--for=condition=Ready", "pod", "--all", f"--namespace={NAMESPACE}", "--timeout=60s")


def request(real: World, client: str) -> str:
    return real.kubectl("exec", f"--namespace={NAMESPACE}", client, "--", "timeout", "3", "bash", "-c", REQUEST)


def test_nodes_have_the_names_and_addresses_of_production(real: World) -> None:
    nodes = real.kubectl_json("get", "nodes")["items"]

    addresses = {node["metadata"]["name"]: node["status"]["addresses"][0]["address"] for node in nodes}
    assert addresses == {
        "ubuntu-8gb-nbg1-2": "178.104.247.152",
        "ubuntu-8gb-nbg1-1": "178.105.32.198",
        "ubuntu-8gb-nbg1-3": "178.104.249.189",
    }
    assert {node["status"]["nodeInfo"]["containerRuntimeVersion"].split(":")[0] for node in nodes} == {"containerd"}
    assert all("node-role.kubernetes.io/control-plane" in node["metadata"]["labels"] for node in nodes)


def test_a_network_policy_allows_one_client_and_refuses_the_other(real: World) -> None:
    assert "200 OK" in eventually(lambda: request(real, "allowed-client"))

    with pytest.raises(RehearsalError, match=r"exit code 124|refused"):
        request(real, "other-client")


def test_without_the_network_policy_the_other_client_is_allowed(real: World) -> None:
    policy = real.kubectl_json("get", "networkpolicy", "server", f"--namespace={NAMESPACE}")
    real.kubectl("delete", "networkpolicy", "server", f"--namespace={NAMESPACE}")
    try:
        assert "200 OK" in eventually(lambda: request(real, "other-client"))
    finally:
        policy["metadata"] = {"name": "server", "namespace": NAMESPACE}
        real.kubectl("create", "--filename=-", stdin=json.dumps(policy))


def test_the_kubelet_serves_the_log_of_a_pod(real: World) -> None:
    assert real.kubectl("logs", f"--namespace={NAMESPACE}", "allowed-client") == "hello from 1000\n"


def test_dns_resolves_no_name_outside_the_cluster(real: World) -> None:
    with pytest.raises(RehearsalError, match=r"not known|Name or service|failure in name resolution"):
        real.kubectl(
            "exec", f"--namespace={NAMESPACE}", "allowed-client", "--", "bash", "-c", ": </dev/tcp/example.com/443"
        )
