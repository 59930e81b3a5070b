"""Production as it was built by hand is as the book tells it, and an `up` that did not adopt it stops before it harms."""

import base64
import re
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from tenacity import Retrying, stop_after_delay, wait_fixed

from ops import stackfile
from rehearsal import brownfield
from rehearsal.clouds import existing
from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, everything, items
from tests.rehearsal.edge import origin_authority
from tests.rehearsal.watching import Watching

SERVER, ADDRESS, KEY = "hcloud:index/server:Server", "hcloud:index/primaryIp:PrimaryIp", "hcloud:index/sshKey:SshKey"
RECORD, SETTING = "cloudflare:index/dnsRecord:DnsRecord", "cloudflare:index/zoneSetting:ZoneSetting"
CERTIFICATE = "cloudflare:index/originCaCertificate:OriginCaCertificate"
ADDRESSES = {
    "ubuntu-8gb-nbg1-2": "178.104.247.152",
    "ubuntu-8gb-nbg1-1": "178.105.32.198",
    "ubuntu-8gb-nbg1-3": "178.104.249.189",
}
"""By hostname (book, quick facts)."""

Things = Mapping[str, Mapping[str, Mapping[str, Any]]]


def held(world: World) -> Things:
    """All that the clouds hold: type, id, properties."""
    return {
        **existing.state(world.layout.clouds, "hcloud").resources,
        **existing.state(world.layout.clouds, "cloudflare").resources,
    }


def by_name(world: World, kind: str) -> dict[str, Mapping[str, Any]]:
    return {one["metadata"]["name"]: one for one in items(world, kind)}


def managers(found: Mapping[str, Any]) -> set[str]:
    """Who wrote the object's text, as server-side apply knows it."""
    return {one["manager"] for one in found["metadata"]["managedFields"] if "subresource" not in one}


def test_hetzner_holds_servers_with_addresses_of_their_own_and_nothing_that_guards_them(
    brownfield_world: World,
) -> None:
    things = held(brownfield_world)
    assert things.keys() & {"hcloud:index/firewall:Firewall", "hcloud:index/placementGroup:PlacementGroup"} == set()
    servers = {live["name"]: (id_, live) for id_, live in things[SERVER].items()}
    assert {name: live["ipv4Address"] for name, (_, live) in servers.items()} == ADDRESSES
    for id_, live in servers.values():
        assert not live["deleteProtection"]
        assert not live["firewallIds"]
        assert "labels" not in live
        (address,) = (
            key for key, one in things[ADDRESS].items() if one["assigneeId"] == int(id_) and one["type"] == "ipv4"
        )
        assert things[ADDRESS][address]["name"] == f"primary_ip-{address}"
        assert things[ADDRESS][address]["autoDelete"]
    (key,) = things[KEY].values()
    assert key["publicKey"] in stackfile.load(brownfield_world.layout.config)["config"]["honeydue:sshKeys"].values()


def test_cloudflare_serves_twelve_proxied_records_over_strict_tls(brownfield_world: World) -> None:
    things = held(brownfield_world)
    records = [
        (live["name"], live["content"]) for live in things[RECORD].values() if live["type"] == "A" and live["proxied"]
    ]
    names = ("api.myhoneydue.com", "admin.myhoneydue.com", "app.myhoneydue.com", "myhoneydue.com")
    assert sorted(records) == sorted((name, address) for name in names for address in ADDRESSES.values())
    assert {live["settingId"]: live["value"] for live in things[SETTING].values()} == {"ssl": "strict"}


def test_the_origin_certificate_is_installed_with_a_key_that_cloudflare_made(brownfield_world: World) -> None:
    (known,) = held(brownfield_world)[CERTIFICATE].values()
    secret = by_name(brownfield_world, "secrets")["cloudflare-origin-cert"]
    certificate, key = (base64.b64decode(secret["data"][name]) for name in ("tls.crt", "tls.key"))
    assert secret["type"] == "kubernetes.io/tls"
    assert certificate.decode() == known["certificate"]
    read = x509.load_pem_x509_certificate(certificate)
    read.verify_directly_issued_by(x509.load_pem_x509_certificate(origin_authority(brownfield_world).encode()))
    assert read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "CloudFlare Origin Certificate"
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert set(names) == {"*.myhoneydue.com", "myhoneydue.com"}
    private = load_pem_private_key(key, password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert private.public_key() == read.public_key()


def test_the_apps_run_without_what_the_program_adds(brownfield_world: World) -> None:
    deployments = by_name(brownfield_world, "deployments")
    ready = {name: one["status"]["readyReplicas"] for name, one in deployments.items()}
    assert ready == {"api": 3, "worker": 1, "admin": 1, "web": 3, "redis": 1}
    for name, one in deployments.items():
        pod = one["spec"]["template"]
        assert one["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"] == {"app": f"honeydue-{name}"}
        assert not pod["spec"]["securityContext"]
        assert all("securityContext" not in container for container in pod["spec"]["containers"])
    namespace = brownfield_world.kubectl_json("get", "namespace", NAMESPACE)
    assert not [label for label in namespace["metadata"]["labels"] if label.startswith("pod-security")]
    (job,) = items(brownfield_world, "jobs")
    assert job["status"]["succeeded"] == 1


def test_the_book_s_own_numbers_are_there(brownfield_world: World) -> None:
    deployments = by_name(brownfield_world, "deployments")

    def probe(app: str) -> tuple[str, int]:
        start = deployments[app]["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
        return start["httpGet"]["path"], start["failureThreshold"]

    assert (probe("api"), probe("admin")) == (("/api/health/", 48), ("/", 24))
    assert by_name(brownfield_world, "poddisruptionbudgets")["worker-pdb"]["spec"]["minAvailable"] == 0
    assert (
        by_name(brownfield_world, "horizontalpodautoscalers")["api"]["spec"]["metrics"][0]["resource"]["target"][
            "averageUtilization"
        ]
        == 70
    )
    ports = {
        name: service["spec"]["ports"][0]["port"] for name, service in by_name(brownfield_world, "services").items()
    }
    assert ports == {"api": 8000, "admin": 3000, "web": 3000, "redis": 6379}
    ingresses = by_name(brownfield_world, "ingresses")
    hosts = {name: {rule["host"] for rule in one["spec"]["rules"]} for name, one in ingresses.items()}
    assert hosts["honeydue-api"] == {"api.myhoneydue.com", "myhoneydue.com"}
    for name, one in ingresses.items():
        (tls,) = one["spec"]["tls"]
        assert (set(tls["hosts"]), tls["secretName"]) == (hosts[name], "cloudflare-origin-cert")
    middlewares = by_name(brownfield_world, "middlewares.traefik.io")
    assert middlewares.keys() == {"security-headers", "rate-limit", "cloudflare-only", "admin-auth"}
    assert len(middlewares["cloudflare-only"]["spec"]["ipAllowList"]["sourceRange"]) == 15 + 7


def test_redis_keeps_its_data_on_the_book_s_node(brownfield_world: World) -> None:
    (claim,) = items(brownfield_world, "persistentvolumeclaims")
    assert (claim["status"]["phase"], claim["spec"]["storageClassName"]) == ("Bound", "local-path")
    (pod,) = (one for one in items(brownfield_world, "pods") if one["metadata"]["labels"]["app"] == "honeydue-redis")
    assert pod["spec"]["nodeName"] == "ubuntu-8gb-nbg1-2"
    volume = brownfield_world.kubectl_json("get", "persistentvolume", claim["spec"]["volumeName"])
    (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["ubuntu-8gb-nbg1-2"]


def test_kubectl_owns_every_field(brownfield_world: World) -> None:
    kinds = "deployments,services,configmaps,ingresses,networkpolicies,horizontalpodautoscalers,persistentvolumeclaims,middlewares,secrets"
    found = brownfield_world.kubectl_json("get", kinds, "-n", NAMESPACE, "--show-managed-fields")["items"]
    applied, set_, created = {"kubectl-client-side-apply"}, {"kubectl-set"}, {"kubectl-create"}
    ours = [one for one in found if one["metadata"]["name"] != "kube-root-ca.crt"]
    for one in ours:
        kind, name = one["kind"], one["metadata"]["name"]
        assert managers(one) - {"kube-controller-manager"} <= (created if kind == "Secret" else applied | set_), (
            kind,
            name,
        )
    assert {one["metadata"]["name"] for one in ours if "kubectl-set" in managers(one)} >= {"api", "worker", "admin"}


def test_only_an_empty_world_is_built_in(brownfield_world: World) -> None:
    with pytest.raises(RehearsalError, match="is not empty: its clouds contain resources"):
        brownfield.build(brownfield_world)


def test_a_watch_sees_the_fewest_ready_and_who_restarted(brownfield_world: World) -> None:
    patiently = Retrying(stop=stop_after_delay(30), wait=wait_fixed(0.1), reraise=True)
    with Watching(brownfield_world, service="web") as watched:
        assert watched.fewest_ready == 3
        brownfield_world.kubectl("scale", "-n", NAMESPACE, "deployment/web", "--replicas=1")
        for attempt in patiently:
            with attempt:
                assert watched.fewest_ready == 1
        brownfield_world.kubectl("scale", "-n", NAMESPACE, "deployment/web", "--replicas=3")
        brownfield_world.kubectl("rollout", "restart", "-n", NAMESPACE, "deployment/redis")
        brownfield_world.kubectl("rollout", "status", "-n", NAMESPACE, "deployment", "--timeout=60s")
    assert watched.fewest_ready == 1
    assert watched.restarted == {"web", "redis"}
    assert watched.before.claims == watched.after.claims
    assert watched.after.claims["redis-data"][1].startswith("local-path-ubuntu-8gb-nbg1-2")


def test_an_up_without_adoption_stops_before_it_touches_what_serves(brownfield_world: World) -> None:
    before, objects = held(brownfield_world), everything(brownfield_world)
    with Watching(brownfield_world) as watched:
        refused = brownfield_world.pulumi("up", "--yes", "--skip-preview", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    # Whichever comes first ends the program.
    assert re.search(r"expects 178\.\S+, but primary IP \S+ at Hetzner is 203\.0\.113\.|SSH key not unique", said)
    assert "Traceback" not in said

    assert everything(brownfield_world) == objects
    assert (watched.fewest_ready, watched.restarted) == (3, set())
    after = held(brownfield_world)
    for kind in (SERVER, RECORD, KEY, SETTING):
        assert after.get(kind) == before.get(kind)
    for kind in (ADDRESS, CERTIFICATE):
        assert {id_: after[kind][id_] for id_ in before[kind]} == before[kind]
    # What it leaves behind: things that serve nobody. How many is a matter of timing.
    added = {kind for kind, live in after.items() if live.keys() - before.get(kind, {}).keys()}
    assert added <= {
        ADDRESS,
        CERTIFICATE,
        "hcloud:index/placementGroup:PlacementGroup",
        "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate",
        "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings",
    }
