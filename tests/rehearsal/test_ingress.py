"""A real Traefik serves what the stack declared: each sentence about the ingress, tried with real HTTPS on loopback."""

import base64
import http.client
import itertools
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal import pki
from rehearsal.engine.placeholders import placeholder
from rehearsal.traefik.backend import CSP, CSP_PATH
from rehearsal.traefik.chart import NAME, chart_values
from rehearsal.traefik.ingress import IngressController
from rehearsal.world.world import World
from tests.rehearsal.edge import INSIDE, OUTSIDE, Answer, Caller, origin_authority, uploaded_certificate
from tests.rehearsal.templates import INGRESS
from tests.rehearsal.templates import RATE_LIMIT_BURST as BURST

API, APEX, ADMIN, APP = "api.myhoneydue.com", "myhoneydue.com", "admin.myhoneydue.com", "app.myhoneydue.com"
CHANGE_SECONDS = 30
REFUSED = (ssl.SSLError, ConnectionError)

_visitors = (f"198.51.{number // 256}.{number % 256}" for number in itertools.count(1))


def visitor() -> str:
    """An address nobody had before: no test meets the rate limit of another."""
    return next(_visitors)


def patiently(*errors: type[Exception]) -> Retrying:
    """Traefik takes a change in within some seconds."""
    return Retrying(
        retry=retry_if_exception_type(errors), stop=stop_after_delay(CHANGE_SECONDS), wait=wait_fixed(0.1), reraise=True
    )


def eventually(check: Callable[[], None]) -> None:
    patiently(AssertionError, OSError)(check)


def ask(caller: Caller, host: str, path: str = "/", **headers: str) -> Answer:
    """One request of a new visitor."""
    return caller.get(host, path, **{"CF_Connecting_IP": visitor(), **headers})


@dataclass(frozen=True, kw_only=True)
class Site:
    """A world with production in it and Traefik before it."""

    world: World
    ingress: IngressController
    cloudflare: Caller

    def accessed(self, path: str) -> dict[str, Any]:
        """The access log's line about this path, which is written after the answer."""

        def read() -> dict[str, Any]:
            (line,) = (
                one
                for one in map(json.loads, self.ingress.log.read_text().splitlines())
                if one.get("RequestPath") == path
            )
            found: dict[str, Any] = line
            return found

        # A ValueError: not there yet, or not in full.
        return patiently(ValueError)(read)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("ingress")
    with (
        INGRESS.clone(folder / "world") as world,
        IngressController(world.layout, chart_values(world.kubectl_client())) as ingress,
    ):
        cloudflare = Caller(
            port=ingress.ports["websecure"],
            trusts=origin_authority(world),
            certificate=uploaded_certificate(world, folder),
        )

        def serves() -> None:
            assert {ask(cloudflare, host).status for host in (API, APEX, ADMIN, APP)} == {200}

        eventually(serves)
        yield Site(world=world, ingress=ingress, cloudflare=cloudflare)


@pytest.mark.parametrize(
    ("host", "service"),
    [
        (API, "honeydue-api-8000"),
        (APEX, "honeydue-api-8000"),
        (ADMIN, "honeydue-admin-3000"),
        (APP, "honeydue-web-3000"),
    ],
)
def test_each_name_leads_to_its_app_under_the_origin_certificate(site: Site, host: str, service: str) -> None:
    answer = ask(site.cloudflare, host, f"/which-app-has-{host}")
    # That the chain ends at the Origin CA, and that the name is right, the handshake has checked.
    assert answer.certificate["subjectAltName"] == (("DNS", "*.myhoneydue.com"), ("DNS", "myhoneydue.com"))
    assert answer.seen["url"] == f"http://{host}/which-app-has-{host}"
    went_to = site.accessed(f"/which-app-has-{host}")
    assert went_to["ServiceName"] == f"{service}@kubernetes"
    assert went_to["ServiceAddr"].startswith("10.42.")


@pytest.mark.parametrize("host", [API, APEX, ADMIN, APP])
def test_security_headers_are_set_and_no_content_security_policy_is(site: Site, host: str) -> None:
    answer = ask(site.cloudflare, host)
    assert answer.header("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]
    assert answer.header("X-Frame-Options") == ["DENY"]
    assert answer.header("X-Content-Type-Options") == ["nosniff"]
    assert answer.header("Referrer-Policy") == ["strict-origin-when-cross-origin"]
    assert "camera=()" in answer.header("Permissions-Policy")[0]
    assert answer.header("Content-Security-Policy") == []


def test_the_policy_that_an_app_sets_arrives_alone_and_unchanged(site: Site) -> None:
    assert ask(site.cloudflare, API, CSP_PATH).header("Content-Security-Policy") == [CSP]


def test_over_the_limit_is_429_for_that_visitor_alone(site: Site) -> None:
    one, other = visitor(), visitor()
    with site.cloudflare.connect(API) as connection:
        answers = [connection.get("/", CF_Connecting_IP=one) for _ in range(3 * BURST)]
        statuses = [answer.status for answer in answers]
        assert statuses[:BURST] == [200] * BURST
        assert 429 in statuses
        assert answers[statuses.index(429)].header("Strict-Transport-Security")
        # The same edge server, another visitor.
        assert connection.get("/", CF_Connecting_IP=other).status == 200

    def served_again() -> None:
        assert site.cloudflare.get(API, CF_Connecting_IP=one).status == 200

    eventually(served_again)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_only_the_uploaded_certificate_lets_a_client_in(site: Site, version: ssl.TLSVersion, tmp_path: Path) -> None:
    versions = (version, version)
    assert ask(replace(site.cloudflare, versions=versions), API).status == 200
    for host in (API, ADMIN, APP, APEX):
        with pytest.raises(REFUSED):
            ask(replace(site.cloudflare, certificate=None, versions=versions), host)
    # As another customer of Cloudflare would come, whose zone points at our addresses.
    theirs = pki.CertificateAuthority.create(tmp_path, "their-ca").issue(
        tmp_path, "theirs", common_name="Cloudflare for myhoneydue.com"
    )
    both = tmp_path / "theirs.pem"
    both.write_bytes(theirs.certificate.read_bytes() + theirs.key.read_bytes())
    with pytest.raises(REFUSED):
        ask(replace(site.cloudflare, certificate=both, versions=versions), API)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_nothing_older_than_tls_1_2_is_spoken(site: Site) -> None:
    with pytest.raises(REFUSED):
        ask(replace(site.cloudflare, versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)), API)


def test_a_name_that_is_not_ours_is_refused_in_the_handshake(site: Site) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        ask(site.cloudflare, "elsewhere.example.com")


@pytest.mark.parametrize("host", [API, APEX, ADMIN, APP])
def test_an_address_outside_the_ranges_gets_403(site: Site, host: str) -> None:
    assert ask(replace(site.cloudflare, source=OUTSIDE), host).status == 403
    # What it says of itself does not count.
    assert ask(replace(site.cloudflare, source=OUTSIDE), host, X_Forwarded_For=INSIDE).status == 403


def test_the_visitor_that_cloudflare_names_reaches_the_app(site: Site) -> None:
    seen = ask(site.cloudflare, API, X_Forwarded_For="203.0.113.7", CF_Connecting_IP="203.0.113.7").seen["headers"]
    assert seen["x-forwarded-for"] == f"203.0.113.7, {INSIDE}"
    assert seen["cf-connecting-ip"] == "203.0.113.7"
    assert seen["x-forwarded-proto"] == "https"


def test_the_access_log_tells_who_and_what_and_no_secret(site: Site) -> None:
    who = visitor()
    site.cloudflare.get(
        API,
        "/logged",
        CF_Connecting_IP=who,
        Authorization="Token hunter2",
        Cookie="session=hunter2",
        User_Agent="tester",
    )
    line = site.accessed("/logged")
    assert (line["DownstreamStatus"], line["request_Cf-Connecting-Ip"], line["request_User-Agent"]) == (
        200,
        who,
        "tester",
    )
    assert "hunter2" not in site.ingress.log.read_text()


def test_metrics_are_on_their_own_port_and_the_api_is_on_none(site: Site) -> None:
    def plain(entry_point: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", site.ingress.ports[entry_point], timeout=10)
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()

    status, metrics = plain("metrics", "/metrics")
    assert status == 200
    assert b"traefik_router_requests_total" in metrics
    for entry_point in ("metrics", "traefik"):
        for path in ("/api/rawdata", "/api/version", "/dashboard/"):
            assert plain(entry_point, path)[0] == 404
    # On 443 these paths are an app's.
    assert ask(site.cloudflare, API, "/metrics").seen["url"] == f"http://{API}/metrics"


def test_443_is_all_that_serves_the_site_and_traefik_ends_with_its_world(site: Site) -> None:
    assert site.ingress.ports.keys() == {"websecure", "traefik", "metrics"}
    # What the world knows as its own, its `down` ends.
    process = psutil.Process(site.world.programs()[NAME])
    listening = {one.laddr for one in process.net_connections() if one.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", port) for port in site.ingress.ports.values()}


def test_a_site_that_runs_first_asks_for_the_certificate_and_the_log_tells_who_showed_it(site: Site) -> None:
    nobody = replace(site.cloudflare, certificate=None)
    site.world.set_config("honeydue:edge.clientCertificate", "asked")
    site.world.pulumi("up", "--yes", "--skip-preview")

    def let_in() -> bool:
        try:
            return ask(nobody, API).status == 200
        except REFUSED:
            return False

    def opens() -> None:
        assert let_in()

    def closes() -> None:
        assert not let_in()

    eventually(opens)
    ask(nobody, API, "/without")
    ask(site.cloudflare, API, "/with")
    assert "TLSClientSubject" not in site.accessed("/without")
    assert site.accessed("/with")["TLSClientSubject"] == "CN=Cloudflare for myhoneydue.com,O=honeyDue"

    site.world.set_config("honeydue:edge.clientCertificate", None)
    site.world.pulumi("up", "--yes", "--skip-preview")

    eventually(closes)


def test_admin_asks_for_a_password_as_soon_as_one_is_configured(site: Site) -> None:
    assert ask(site.cloudflare, ADMIN).status == 200
    users = str(placeholder("adminBasicAuth", site.world.layout.pki))
    site.world.pulumi("config", "set", "--secret", "honeydue:adminBasicAuth", users)
    site.world.pulumi("up", "--yes", "--skip-preview")

    def login(password: str) -> str:
        return "Basic " + base64.b64encode(f"{users.partition(':')[0]}:{password}".encode()).decode()

    def asks() -> None:
        answer = ask(site.cloudflare, ADMIN)
        assert answer.status == 401
        assert answer.header("WWW-Authenticate")[0].startswith("Basic")
        assert answer.header("Strict-Transport-Security")

    eventually(asks)
    assert ask(site.cloudflare, ADMIN, Authorization=login("wrong")).status == 401
    let_in = ask(site.cloudflare, ADMIN, Authorization=login("rehearsal"))
    assert let_in.status == 200
    assert "authorization" not in let_in.seen["headers"]
    for host in (API, APEX, APP):
        assert ask(site.cloudflare, host).status == 200
