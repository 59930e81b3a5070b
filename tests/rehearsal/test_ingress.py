"""A real Traefik serves the site as the stack declares it, tested with HTTPS on loopback."""

import base64
import http.client
import json
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from rehearsal import pki
from rehearsal.engine.placeholders import placeholder
from rehearsal.traefik import daemonset
from rehearsal.traefik.backend import CSP, CSP_PATH
from rehearsal.traefik.chart import NAME, chart_values
from tests.rehearsal.edge_client import CLOUDFLARE_ADDRESS, OTHER_ADDRESS, uploaded_certificate
from tests.rehearsal.edge_site import (
    ADMIN,
    APEX,
    API,
    APP,
    REFUSED,
    Site,
    accepts,
    new_client,
    pem_file,
    request,
    requests_in_log,
    serve_site,
    status_of,
)
from tests.rehearsal.operator import ops
from tests.rehearsal.runbook import blocks, run
from tests.rehearsal.stack_state import urn
from tests.rehearsal.templates import RATE_LIMIT_BURST as BURST
from tests.retry import eventually

ENTRY_POINTS = "traefik.ingress.kubernetes.io/router.entrypoints"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_site(tmp_path_factory.mktemp("ingress")) as served:
        yield served


@pytest.mark.parametrize(
    ("host", "service"),
    [
        (API, "honeydue-api-8000"),
        (APEX, "honeydue-api-8000"),
        (ADMIN, "honeydue-admin-3000"),
        (APP, "honeydue-web-3000"),
    ],
)
def test_every_host_leads_to_its_app_with_the_origin_certificate(site: Site, host: str, service: str) -> None:
    response = request(site.cloudflare, host, f"/path-of-{host}")
    # The TLS handshake has verified the certificate chain up to the Origin CA and the host name.
    assert response.certificate["subjectAltName"] == (("DNS", "*.myhoneydue.com"), ("DNS", "myhoneydue.com"))
    assert response.received_request["url"] == f"http://{host}/path-of-{host}"
    entry = site.access_log_entry(f"/path-of-{host}")
    assert entry["ServiceName"] == f"{service}@kubernetes"
    assert entry["ServiceAddr"].startswith("10.42.")


@pytest.mark.parametrize("host", [API, APEX, ADMIN, APP])
def test_security_headers_are_set_except_the_content_security_policy(site: Site, host: str) -> None:
    response = request(site.cloudflare, host)
    assert response.header("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]
    assert response.header("X-Frame-Options") == ["DENY"]
    assert response.header("X-Content-Type-Options") == ["nosniff"]
    assert response.header("Referrer-Policy") == ["strict-origin-when-cross-origin"]
    assert "camera=()" in response.header("Permissions-Policy")[0]
    assert response.header("Content-Security-Policy") == []


def test_the_content_security_policy_of_an_app_is_unchanged(site: Site) -> None:
    assert request(site.cloudflare, API, CSP_PATH).header("Content-Security-Policy") == [CSP]


def test_the_rate_limit_applies_to_each_client_separately(site: Site) -> None:
    limited, other = new_client(), new_client()
    with site.cloudflare.connect(API) as connection:
        responses = [connection.get("/", CF_Connecting_IP=limited) for _ in range(3 * BURST)]
        statuses = [response.status for response in responses]
        assert statuses[:BURST] == [200] * BURST
        assert 429 in statuses
        assert responses[statuses.index(429)].header("Strict-Transport-Security")
        # Another client over the same connection.
        assert connection.get("/", CF_Connecting_IP=other).status == 200

    def limit_has_expired() -> None:
        assert site.cloudflare.get(API, CF_Connecting_IP=limited).status == 200

    eventually(limit_has_expired)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_only_the_uploaded_client_certificate_is_accepted(site: Site, version: ssl.TLSVersion, tmp_path: Path) -> None:
    versions = (version, version)
    assert request(replace(site.cloudflare, versions=versions), API).status == 200
    for host in (API, ADMIN, APP, APEX):
        with pytest.raises(REFUSED):
            request(replace(site.cloudflare, certificate=None, versions=versions), host)
    # Another customer of Cloudflare, whose zone points to the same origin, would use a certificate like this.
    other = pki.CertificateAuthority.create(tmp_path, "other-ca").issue(
        tmp_path, "other", common_name="Cloudflare for myhoneydue.com"
    )
    with pytest.raises(REFUSED):
        request(replace(site.cloudflare, certificate=pem_file(tmp_path, other), versions=versions), API)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_versions_before_1_2_are_refused(site: Site) -> None:
    with pytest.raises(REFUSED):
        request(replace(site.cloudflare, versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)), API)


def test_an_unknown_host_is_refused_in_the_tls_handshake(site: Site) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        request(site.cloudflare, "elsewhere.example.com")


@pytest.mark.parametrize("host", [API, APEX, ADMIN, APP])
def test_a_source_address_outside_the_ranges_gets_403(site: Site, host: str) -> None:
    assert request(replace(site.cloudflare, source=OTHER_ADDRESS), host).status == 403
    # Traefik ignores the header of an untrusted source.
    assert (
        request(replace(site.cloudflare, source=OTHER_ADDRESS), host, X_Forwarded_For=CLOUDFLARE_ADDRESS).status == 403
    )


def test_the_app_receives_the_client_address_from_cloudflare(site: Site) -> None:
    headers = request(
        site.cloudflare, API, X_Forwarded_For="203.0.113.7", CF_Connecting_IP="203.0.113.7"
    ).received_request["headers"]
    assert headers["x-forwarded-for"] == f"203.0.113.7, {CLOUDFLARE_ADDRESS}"
    assert headers["cf-connecting-ip"] == "203.0.113.7"
    assert headers["x-forwarded-proto"] == "https"


def test_the_access_log_contains_the_client_and_no_secret(site: Site) -> None:
    client = new_client()
    site.cloudflare.get(
        API,
        "/logged",
        CF_Connecting_IP=client,
        Authorization="Token hunter2",
        Cookie="session=hunter2",
        User_Agent="tester",
    )
    entry = site.access_log_entry("/logged")
    assert (entry["DownstreamStatus"], entry["request_Cf-Connecting-Ip"], entry["request_User-Agent"]) == (
        200,
        client,
        "tester",
    )
    assert "hunter2" not in site.ingress.log.read_text()


def test_metrics_have_their_own_port_and_the_api_of_traefik_is_disabled(site: Site) -> None:
    def plain(entry_point: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", site.ingress.ports[entry_point], timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()

    status, metrics = plain("metrics", "/metrics")
    assert status == 200
    assert b"traefik_router_requests_total" in metrics
    for entry_point in ("metrics", "traefik"):
        for path in ("/api/rawdata", "/api/version", "/dashboard/"):
            assert plain(entry_point, path)[0] == 404
    # On port 443, the same path leads to the app.
    assert request(site.cloudflare, API, "/metrics").received_request["url"] == f"http://{API}/metrics"


def test_traefik_reads_secrets_in_the_app_namespace_only(site: Site) -> None:
    # The tests of this module show that these permissions suffice: Traefik uses the token of its ServiceAccount.
    def can(verb: str, resource: str, *options: str) -> str:
        account = "--as=system:serviceaccount:kube-system:traefik"
        command = site.world.kubectl_client().command("auth", "can-i", verb, resource, account, *options)
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    assert can("list", "secrets", "--namespace=honeydue") == "yes"
    for namespace in ("kube-system", "default"):
        assert can("get", "secrets", f"--namespace={namespace}") == "no"
    assert can("list", "secrets", "--all-namespaces") == "no"
    assert can("update", "secrets", "--namespace=honeydue") == "no"


def test_an_ingress_without_an_entry_point_is_not_served_on_the_metrics_port(site: Site) -> None:
    host = "open.myhoneydue.com"
    policy = ("patch", "validatingadmissionpolicybinding", "honeydue-ingresses", "--type=merge", "--patch")
    site.world.kubectl(*policy, json.dumps({"spec": {"validationActions": ["Audit"]}}))
    try:
        rule = f"--rule={host}/*=web:3000,tls=cloudflare-origin-cert"
        eventually(lambda: site.world.kubectl("create", "ingress", "open", "--namespace=honeydue", rule))
        eventually(lambda: status_of(request(site.cloudflare, host), 200))
        connection = http.client.HTTPConnection("127.0.0.1", site.ingress.ports["metrics"], timeout=10)
        connection.request("GET", "/", headers={"Host": host})
        assert connection.getresponse().status == 404
        # An adopted Ingress like this one can be updated, but not to annotations that the policy forbids.
        site.world.kubectl(*policy, json.dumps({"spec": {"validationActions": ["Deny"]}}))
        annotate = ("annotate", "ingress", "open", "--namespace=honeydue", "--dry-run=server")

        change = site.world.kubectl_client().command(*annotate, f"{ENTRY_POINTS}=metrics")

        def change_is_refused() -> None:
            assert "needs the annotations" in subprocess.run(change, capture_output=True, text=True, check=False).stderr

        eventually(change_is_refused)
        site.world.kubectl(*annotate, "example.com/other=annotation")
    finally:
        site.world.kubectl("delete", "ingress", "open", "--namespace=honeydue", "--ignore-not-found")
        site.world.kubectl(*policy, json.dumps({"spec": {"validationActions": ["Deny"]}}))


def test_traefik_listens_on_its_entry_points_only_and_is_a_process_of_the_world(site: Site) -> None:
    assert site.ingress.ports.keys() == {"websecure", "traefik", "metrics"}
    # `down` stops the processes that the world lists.
    process = psutil.Process(site.world.programs()[NAME])
    listening = {
        connection.laddr for connection in process.net_connections() if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", port) for port in site.ingress.ports.values()}


def test_admin_requires_the_password_that_is_configured(site: Site) -> None:
    assert request(site.cloudflare, ADMIN).status == 200
    users = str(placeholder("adminBasicAuth", site.world.layout.pki))
    site.world.pulumi("config", "set", "--secret", "honeydue:adminBasicAuth", users)
    site.world.pulumi("up", "--yes", "--skip-preview")

    def login(password: str) -> str:
        return "Basic " + base64.b64encode(f"{users.partition(':')[0]}:{password}".encode()).decode()

    def password_is_required() -> None:
        response = request(site.cloudflare, ADMIN)
        assert response.status == 401
        assert response.header("WWW-Authenticate")[0].startswith("Basic")
        assert response.header("Strict-Transport-Security")

    eventually(password_is_required)
    assert request(site.cloudflare, ADMIN, Authorization=login("wrong")).status == 401
    response = request(site.cloudflare, ADMIN, Authorization=login("rehearsal"))
    assert response.status == 200
    assert "authorization" not in response.received_request["headers"]
    for host in (API, APEX, APP):
        assert request(site.cloudflare, host).status == 200


# This test must be the last one with this world, because it replaces the client certificate.
def test_the_client_certificate_is_renewed_without_an_outage(site: Site, tmp_path: Path) -> None:
    world = site.world
    traefik_pods = daemonset.manifests(chart_values(world.kubectl_client()))
    world.kubectl_client().apply(traefik_pods)
    foreign = pki.CertificateAuthority.create(tmp_path, "foreign-ca").issue(tmp_path, "foreign", common_name="foreign")
    certificates: dict[str, Path | None] = {
        "old": site.cloudflare.certificate,
        "foreign": pem_file(tmp_path, foreign),
        "none": None,
    }

    def only_these_are_accepted(*names: str) -> None:
        assert {name for name, file in certificates.items() if accepts(site, file)} == set(names)

    request_certificate, renew, require_certificate = blocks("runbook.md", "Renew the client certificate")
    only_these_are_accepted("old")
    # While it is required, it cannot be renewed.
    world.pulumi("state", "taint", "--yes", urn(world, "SelfSignedCert::origin-pulls-authority"))
    refused = ops(world, "preview", "--stack", "prod")
    assert "TLSOption::default requires the certificate of SelfSignedCert::origin-pulls-authority" in refused.stdout
    world.pulumi("state", "untaint", "--yes", urn(world, "SelfSignedCert::origin-pulls-authority"))

    run(world, request_certificate)
    eventually(lambda: only_these_are_accepted("old", "foreign", "none"))
    run(world, renew)
    certificates["new"] = uploaded_certificate(world, tmp_path)
    eventually(lambda: only_these_are_accepted("old", "new", "foreign", "none"))

    # Cloudflare still presents the old certificate.
    request(site.cloudflare, API, CF_Ray="1-FRA")
    eventually(lambda: requests_in_log(site, 1))
    end = site.ingress.publish_log()
    early = ops(world, "require-client-certificate", "--stack", "prod")
    assert early.returncode == 1
    assert "1 of 1 requests of Cloudflare in the last 10 minutes had another client certificate or none" in early.stdout

    request(replace(site.cloudflare, certificate=certificates["new"]), API, CF_Ray="2-FRA")
    eventually(lambda: requests_in_log(site, 2))
    site.ingress.publish_log(since=end)
    run(world, require_certificate)
    eventually(lambda: only_these_are_accepted("new"))
