"""What only containers that run can show: pods, their network, who is let through, names, logs."""

import json

import pytest
import yaml

from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.real.patience import patiently

from .toolbox import pod

NAMESPACE = "trial"
SERVE = "exec traefik --ping --entryPoints.traefik.address=:8080 --global.checkNewVersion=false"
ASK = r"exec 3<>/dev/tcp/server.trial.svc.cluster.local/8080; printf 'GET /ping HTTP/1.0\r\n\r\n' >&3; cat <&3"
"""By the Service's name: DNS, kube-proxy and the way between two nodes are in it."""


@pytest.fixture(scope="module", autouse=True)
def trial(real: World) -> None:
    """A server and two callers, each on a node of its own; of one caller a policy says that it may come in."""
    nodes = [one["metadata"]["name"] for one in real.kubectl_json("get", "nodes")["items"]]
    pods = [
        pod(
            "server",
            SERVE,
            node=nodes[0],
            readinessProbe={"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1},
        ),
        pod("friend", "echo hello from $(id -u); exec sleep infinity", node=nodes[1]),
        pod("stranger", "exec sleep infinity", node=nodes[2]),
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
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}]}],
        },
    }
    real.kubectl("create", "--filename=-", stdin=yaml.safe_dump_all([namespace]))
    real.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={NAMESPACE}", "--timeout=30s")
    real.kubectl(
        "create", "--filename=-", f"--namespace={NAMESPACE}", stdin=yaml.safe_dump_all([service, policy, *pods])
    )
    real.kubectl("wait", "--for=condition=Ready", "pod", "--all", f"--namespace={NAMESPACE}", "--timeout=60s")


def ask(real: World, who: str) -> str:
    return real.kubectl("exec", f"--namespace={NAMESPACE}", who, "--", "timeout", "3", "bash", "-c", ASK)


def test_nodes_are_productions_own(real: World) -> None:
    nodes = real.kubectl_json("get", "nodes")["items"]

    addresses = {one["metadata"]["name"]: one["status"]["addresses"][0]["address"] for one in nodes}
    assert addresses == {
        "ubuntu-8gb-nbg1-2": "178.104.247.152",
        "ubuntu-8gb-nbg1-1": "178.105.32.198",
        "ubuntu-8gb-nbg1-3": "178.104.249.189",
    }
    assert {one["status"]["nodeInfo"]["containerRuntimeVersion"].split(":")[0] for one in nodes} == {"containerd"}
    assert all("node-role.kubernetes.io/control-plane" in one["metadata"]["labels"] for one in nodes)


def test_a_policy_lets_one_pod_through_and_refuses_the_other(real: World) -> None:
    assert "200 OK" in patiently(lambda: ask(real, "friend"))

    with pytest.raises(RehearsalError, match=r"exit code 124|refused"):
        ask(real, "stranger")


def test_without_the_policy_the_other_is_let_through(real: World) -> None:
    kept = real.kubectl_json("get", "networkpolicy", "server", f"--namespace={NAMESPACE}")
    real.kubectl("delete", "networkpolicy", "server", f"--namespace={NAMESPACE}")
    try:
        assert "200 OK" in patiently(lambda: ask(real, "stranger"))
    finally:
        kept["metadata"] = {"name": "server", "namespace": NAMESPACE}
        real.kubectl("create", "--filename=-", stdin=json.dumps(kept))


def test_a_pods_words_are_read_through_its_kubelet(real: World) -> None:
    assert real.kubectl("logs", f"--namespace={NAMESPACE}", "friend") == "hello from 1000\n"


def test_what_the_cluster_does_not_know_has_no_name(real: World) -> None:
    with pytest.raises(RehearsalError, match=r"not known|Name or service|failure in name resolution"):
        real.kubectl("exec", f"--namespace={NAMESPACE}", "friend", "--", "bash", "-c", ": </dev/tcp/example.com/443")
