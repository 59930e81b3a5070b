"""Plans in the form of the engine, with only the properties that a test needs."""

from typing import Any

from ops.plan import Plan

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
JOB = "kubernetes:batch/v1:Job"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
CONFIG_MAP, SECRET = "kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret"
FIREWALL, RECORD = "hcloud:index/firewall:Firewall", "cloudflare:index/dnsRecord:DnsRecord"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::honeydue::honeydue:some:Component${kind}::{name}"


def state(kind: str, name: str, *, protect: bool = True, **more: Any) -> dict[str, Any]:
    return {"urn": urn(kind, name), "type": kind, "custom": True, "protect": protect, **more}


def step(
    op: str, kind: str, name: str, *, changed: tuple[str, ...] = (), old: dict[str, Any] | None = None, **new: Any
) -> dict[str, Any]:
    """One step of a plan. Properties that are not given have the values that the program uses."""
    before = None if op == "create" else state(kind, name, **(old or {}))
    after = None if op == "delete" else state(kind, name, **new)
    return {
        "op": op,
        "urn": urn(kind, name),
        "oldState": before,
        "newState": after,
        "detailedDiff": {path: {"kind": "update"} for path in changed},
    }


def plan(*steps: dict[str, Any], **config: str) -> Plan:
    return Plan.model_validate({"steps": steps, "config": {f"honeydue:{key}": value for key, value in config.items()}})
