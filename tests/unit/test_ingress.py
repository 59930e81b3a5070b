"""What stands between a visitor and an app: promises about every Ingress, middleware and value of Traefik."""

from typing import Any

import pytest
import yaml

from infra.cluster.traefik import METRICS_PORT
from rehearsal.engine.placeholders import ADMIN_USERS
from rehearsal.errors import RehearsalError
from rehearsal.traefik.chart import command_line, entry_points
from tests.unit.capture import RANGES, Capture, Registration, example_settings, run
from tests.unit.test_program import plain_strings, reached

EVERYWHERE = ["cloudflare-only", "security-headers", "rate-limit", "retry"]


@pytest.fixture(scope="module")
def with_password() -> Capture:
    return run({**example_settings(), "honeydue:adminBasicAuth": ADMIN_USERS})


def behind(ingress: Registration) -> list[str]:
    """Names of an Ingress' middlewares."""
    named = ingress.inputs["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"].split(",")
    return [one.removeprefix("honeydue-").removesuffix("@kubernetescrd") for one in named]


def values(program: Capture) -> dict[str, Any]:
    """What Traefik's chart is given."""
    (config,) = program.of("HelmChartConfig")
    found: dict[str, Any] = yaml.safe_load(config.inputs["spec"]["valuesContent"])
    return found


def test_every_ingress_is_behind_the_same(program: Capture, with_password: Capture) -> None:
    for ingress in (*program.of("Ingress"), *with_password.of("Ingress")):
        assert behind(ingress)[: len(EVERYWHERE)] == EVERYWHERE, ingress.urn
        annotations = ingress.inputs["metadata"]["annotations"]
        assert annotations["traefik.ingress.kubernetes.io/router.entrypoints"] == "websecure", ingress.urn
        assert annotations["traefik.ingress.kubernetes.io/router.tls"] == "true", ingress.urn


def test_admin_alone_is_behind_a_password_once_there_is_one(example: Capture, with_password: Capture) -> None:
    def more(capture: Capture) -> dict[str, list[str]]:
        return {one.name: found for one in capture.of("Ingress") if (found := behind(one)[len(EVERYWHERE) :])}

    assert more(example) == {}
    assert more(with_password) == {"honeydue-admin": ["admin-auth"]}


def test_what_an_ingress_is_behind_is_declared_beside_it_and_stands_first(with_password: Capture) -> None:
    declared = {one.inputs["metadata"]["name"]: one.urn for one in with_password.of("Middleware")}
    options = with_password.one("TLSOption", "default")
    for ingress in with_password.of("Ingress"):
        first = reached(with_password, ingress)
        assert {*(declared[name] for name in behind(ingress)), options.urn} <= first, ingress.urn
        for one in (*with_password.of("Middleware"), options):
            assert one.inputs["metadata"]["namespace"] == ingress.inputs["metadata"]["namespace"]


def test_no_middleware_sets_a_content_security_policy(with_password: Capture) -> None:
    for middleware in with_password.of("Middleware"):
        said = " ".join(plain_strings(middleware.request.object)).lower().replace("-", "")
        assert "contentsecuritypolicy" not in said, middleware.urn


def test_cloudflare_shows_its_certificate_before_the_origin_asks_for_one(program: Capture) -> None:
    options = program.one("TLSOption", "default")
    assert options.inputs["spec"]["minVersion"] == "VersionTLS12"
    assert options.inputs["spec"]["sniStrict"] is True
    asked = program.settings["honeydue:edge"].get("clientCertificate", "required") == "asked"
    assert options.inputs["spec"]["clientAuth"] == {
        "secretNames": ["cloudflare-origin-pulls"],
        "clientAuthType": "VerifyClientCertIfGiven" if asked else "RequireAndVerifyClientCert",
    }
    (shown,) = program.of("AuthenticatedOriginPullsSettings")
    (uploaded,) = program.of("AuthenticatedOriginPullsCertificate")
    assert {shown.urn, program.one("Secret", "cloudflare-origin-pulls").urn} <= reached(program, options)
    assert uploaded.urn in reached(program, shown)
    assert shown.inputs["enabled"] is True


def test_a_running_site_may_ask_first_and_require_later() -> None:
    settings: dict[str, Any] = example_settings()
    settings["honeydue:edge"] = {**settings["honeydue:edge"], "clientCertificate": "asked"}
    client_auth = run(settings).one("TLSOption", "default").inputs["spec"]["clientAuth"]
    assert client_auth["clientAuthType"] == "VerifyClientCertIfGiven"


def test_ranges_are_let_in_and_believed_as_cloudflare_publishes_them(program: Capture) -> None:
    published = {*RANGES["ipv4Cidrs"], *RANGES["ipv6Cidrs"]}
    assert set(program.one("Middleware", "cloudflare-only").inputs["spec"]["ipAllowList"]["sourceRange"]) == published
    assert set(values(program)["ports"]["websecure"]["forwardedHeaders"]["trustedIPs"]) == published


def test_a_visitor_is_told_by_the_address_cloudflare_saw(program: Capture) -> None:
    limit = program.one("Middleware", "rate-limit").inputs["spec"]["rateLimit"]
    assert limit["sourceCriterion"] == {"requestHeaderName": "CF-Connecting-IP"}


def test_traefik_listens_on_every_node_at_443_and_at_nothing_the_firewall_opens_besides(program: Capture) -> None:
    given = values(program)
    assert (given["deployment"]["kind"], given["hostNetwork"], given["service"]["enabled"]) == (
        "DaemonSet",
        True,
        False,
    )
    assert set(entry_points(given)) == {"websecure", "traefik", "metrics"}
    assert (given["ports"]["websecure"]["port"], given["ports"]["metrics"]["port"]) == (443, METRICS_PORT)
    (firewall,) = program.of("Firewall")
    opened = [
        range(int(port.split("-")[0]), int(port.split("-")[-1]) + 1)
        for one in firewall.inputs["rules"]
        if (port := one.get("port"))
    ]
    assert any(443 in ports for ports in opened)
    for hidden in (80, METRICS_PORT, given["ports"]["traefik"]["port"]):
        assert not any(hidden in ports for ports in opened), hidden


def test_traefik_has_one_right_and_bounds(program: Capture) -> None:
    given = values(program)
    assert given["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "readOnlyRootFilesystem": True,
    }
    assert given["podSecurityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for bound in ("requests", "limits"):
        assert given["resources"][bound].keys() == {"cpu", "memory"}
    assert given["providers"]["kubernetesCRD"]["allowCrossNamespace"] is False
    assert given["providers"]["kubernetesIngress"]["publishedService"] == {"enabled": False}
    assert given["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_a_rehearsal_starts_traefik_as_the_chart_would(program: Capture) -> None:
    flags = command_line(values(program), listen={"websecure": 1, "traefik": 2, "metrics": 3})
    assert "--entryPoints.websecure.address=127.0.0.1:1" in flags
    assert "--accesslog=true" in flags
    assert "--accesslog.fields.headers.defaultmode=drop" in flags
    assert "--global.checkNewVersion=false" in flags
    assert "--providers.kubernetescrd.namespaces=honeydue" in {flag.replace("CRD", "crd") for flag in flags}
    assert not any(flag.startswith("--api") for flag in flags)
    assert any(
        flag.startswith("--entryPoints.websecure.forwardedHeaders.trustedIPs=103.21.244.0/22,") for flag in flags
    )


@pytest.mark.parametrize(
    "unknown",
    [{"tracing": {"otlp": {"enabled": True}}}, {"ports": {"websecure": {"proxyProtocol": {"insecure": True}}}}],
)
def test_a_value_that_a_rehearsal_does_not_understand_stops_it(unknown: dict[str, Any]) -> None:
    with pytest.raises(
        RehearsalError, match=r"support (tracing\.otlp\.enabled|ports\.websecure\.proxyProtocol\.insecure) in"
    ):
        command_line(unknown, listen=dict.fromkeys(("traefik", "web", "websecure", "metrics"), 1))


def test_the_password_file_is_secret_and_nothing_else_is_made_without_it(
    example: Capture, with_password: Capture
) -> None:
    assert "admin-auth" not in {one.name for one in example.of("Middleware")}
    users = with_password.one("Secret", "admin-basic-auth")
    assert users.inputs["stringData"] == {"users": ADMIN_USERS}
    hashed = ADMIN_USERS.partition(":")[2]
    assert [
        one.urn
        for one in with_password.registrations
        if any(hashed in text for text in plain_strings(one.request.object))
    ] == []
    assert users.urn in reached(with_password, with_password.one("Middleware", "admin-auth"))
