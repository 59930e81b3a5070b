"""Invariants of every Ingress and middleware, and of the values of Traefik's chart."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra.cluster import traefik_values
from infra.cluster.traefik_values import METRICS_PORT
from infra.edge.origin_pulls import authority_id
from infra.k3s_charts import K3S_CHARTS
from rehearsal.engine.placeholders import ADMIN_USERS
from rehearsal.errors import RehearsalError
from rehearsal.traefik.chart import command_line, entry_points, flags
from tests.unit.capture import RANGES, Capture, Registration, example_settings, run
from tests.unit.registrations import dependencies_of, plain_strings

RECORDED = Path(__file__).parent / "recorded"
COMMON_MIDDLEWARES = ["cloudflare-only", "security-headers", "rate-limit", "retry"]


@pytest.fixture(scope="module")
def with_password() -> Capture:
    return run({**example_settings(), "honeydue:adminBasicAuth": ADMIN_USERS})


def middleware_names(ingress: Registration) -> list[str]:
    """The names of the middlewares of an Ingress, in order."""
    references = ingress.inputs["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"].split(
        ","
    )
    return [name.removeprefix("honeydue-").removesuffix("@kubernetescrd") for name in references]


def values(program: Capture) -> dict[str, Any]:
    """The values of Traefik's chart."""
    config = program.resource("HelmChartConfig", "traefik")
    loaded: dict[str, Any] = yaml.safe_load(config.inputs["spec"]["valuesContent"])
    return loaded


def without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return value


def test_every_ingress_has_the_common_middlewares_and_tls(program: Capture, with_password: Capture) -> None:
    for ingress in (*program.resources("Ingress"), *with_password.resources("Ingress")):
        assert middleware_names(ingress)[: len(COMMON_MIDDLEWARES)] == COMMON_MIDDLEWARES, ingress.urn
        annotations = ingress.inputs["metadata"]["annotations"]
        assert annotations["traefik.ingress.kubernetes.io/router.entrypoints"] == "websecure", ingress.urn
        assert annotations["traefik.ingress.kubernetes.io/router.tls"] == "true", ingress.urn


def test_only_admin_has_basic_auth_if_a_password_is_set(example: Capture, with_password: Capture) -> None:
    def additional(capture: Capture) -> dict[str, list[str]]:
        return {
            resource.name: names
            for resource in capture.resources("Ingress")
            if (names := middleware_names(resource)[len(COMMON_MIDDLEWARES) :])
        }

    assert additional(example) == {}
    assert additional(with_password) == {"honeydue-admin": ["admin-auth"]}


def test_an_ingress_depends_on_its_middlewares_and_tls_options_in_its_namespace(with_password: Capture) -> None:
    declared = {resource.inputs["metadata"]["name"]: resource.urn for resource in with_password.resources("Middleware")}
    options = with_password.resource("TLSOption", "default")
    for ingress in with_password.resources("Ingress"):
        dependencies = dependencies_of(with_password, ingress)
        assert {*(declared[name] for name in middleware_names(ingress)), options.urn} <= dependencies, ingress.urn
        for resource in (*with_password.resources("Middleware"), options):
            assert resource.inputs["metadata"]["namespace"] == ingress.inputs["metadata"]["namespace"]


def test_no_middleware_sets_a_content_security_policy(with_password: Capture) -> None:
    for middleware in with_password.resources("Middleware"):
        text = " ".join(plain_strings(middleware.request.object)).lower().replace("-", "")
        assert "contentsecuritypolicy" not in text, middleware.urn


def test_cloudflare_presents_its_client_certificate_before_traefik_requires_it(program: Capture) -> None:
    options = program.resource("TLSOption", "default")
    assert options.inputs["spec"]["minVersion"] == "VersionTLS12"
    assert options.inputs["spec"]["sniStrict"] is True
    requested = program.settings["honeydue:edge"].get("clientCertificate", "required") == "requested"
    assert options.inputs["spec"]["clientAuth"] == {
        "secretNames": ["cloudflare-origin-pulls"],
        "clientAuthType": "RequestClientCert" if requested else "RequireAndVerifyClientCert",
    }
    (setting,) = program.resources("AuthenticatedOriginPullsSettings")
    (certificate,) = program.resources("AuthenticatedOriginPullsCertificate")
    assert {setting.urn, program.resource("Secret", "cloudflare-origin-pulls").urn} <= dependencies_of(program, options)
    assert certificate.urn in dependencies_of(program, setting)
    assert setting.inputs["enabled"] is True


def test_a_requested_client_certificate_is_not_verified() -> None:
    settings: dict[str, Any] = example_settings()
    settings["honeydue:edge"] = {**settings["honeydue:edge"], "clientCertificate": "requested"}
    client_auth = run(settings).resource("TLSOption", "default").inputs["spec"]["clientAuth"]
    assert client_auth["clientAuthType"] == "RequestClientCert"


def test_the_client_certificate_names_its_authority(example: Capture) -> None:
    request = example.resource("CertRequest", "origin-pulls-request")
    authority = example.resource("SelfSignedCert", "origin-pulls-authority")
    assert re.fullmatch("[0-9a-f]{16}", request.inputs["subject"]["serialNumber"])
    assert authority.urn in dependencies_of(example, request)
    assert authority_id("one") != authority_id("another")


def test_only_the_published_cloudflare_ranges_are_allowed_and_trusted(program: Capture) -> None:
    published = {*RANGES["ipv4Cidrs"], *RANGES["ipv6Cidrs"]}
    assert (
        set(program.resource("Middleware", "cloudflare-only").inputs["spec"]["ipAllowList"]["sourceRange"]) == published
    )
    assert set(values(program)["ports"]["websecure"]["forwardedHeaders"]["trustedIPs"]) == published


def test_rate_limits_count_by_the_client_address_of_cloudflare(program: Capture) -> None:
    limit = program.resource("Middleware", "rate-limit").inputs["spec"]["rateLimit"]
    assert limit["sourceCriterion"] == {"requestHeaderName": "CF-Connecting-IP"}


def test_traefik_listens_on_443_of_every_node_and_on_no_other_open_port(program: Capture) -> None:
    chart_values = values(program)
    assert (chart_values["deployment"]["kind"], chart_values["hostNetwork"], chart_values["service"]["enabled"]) == (
        "DaemonSet",
        True,
        False,
    )
    assert set(entry_points(chart_values)) == {"websecure", "traefik", "metrics"}
    assert (chart_values["ports"]["websecure"]["port"], chart_values["ports"]["metrics"]["port"]) == (443, METRICS_PORT)
    (firewall,) = program.resources("Firewall")
    opened = [
        range(int(port.split("-")[0]), int(port.split("-")[-1]) + 1)
        for rule in firewall.inputs["rules"]
        if (port := rule.get("port"))
    ]
    assert any(443 in ports for ports in opened)
    for closed in (80, METRICS_PORT, chart_values["ports"]["traefik"]["port"]):
        assert not any(closed in ports for ports in opened), closed


def test_traefik_has_one_capability_and_resource_limits(program: Capture) -> None:
    chart_values = values(program)
    assert chart_values["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "readOnlyRootFilesystem": True,
    }
    assert chart_values["podSecurityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for bound in ("requests", "limits"):
        assert chart_values["resources"][bound].keys() == {"cpu", "memory"}
    assert chart_values["providers"]["kubernetesCRD"]["allowCrossNamespace"] is False
    assert chart_values["providers"]["kubernetesIngress"]["publishedService"] == {"enabled": False}
    assert chart_values["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_a_rehearsal_starts_traefik_with_the_flags_of_the_chart(program: Capture) -> None:
    command = command_line(values(program), listen={"websecure": 1, "traefik": 2, "metrics": 3})
    assert "--entryPoints.websecure.address=127.0.0.1:1" in command
    assert "--accesslog=true" in command
    assert "--accesslog.fields.headers.defaultmode=drop" in command
    # Not on the metrics port, which is plain HTTP, when a route names no entry point.
    assert [flag for flag in command if "asDefault" in flag] == ["--entryPoints.websecure.asDefault=true"]
    assert "--global.checkNewVersion=false" in command
    assert "--providers.kubernetescrd.namespaces=honeydue" in {flag.replace("CRD", "crd") for flag in command}
    assert not any(flag.startswith("--api") for flag in command)
    assert any(
        flag.startswith("--entryPoints.websecure.forwardedHeaders.trustedIPs=103.21.244.0/22,") for flag in command
    )


def test_every_flag_of_the_api_enables_it_so_the_chart_renders_none(program: Capture) -> None:
    listen = dict.fromkeys(("websecure", "traefik", "metrics", "web"), 1)
    assert "--api.dashboard=false" in command_line({"api": {"dashboard": False}}, listen=listen)
    assert "--api.dashboard=true" in command_line({}, listen=listen)
    assert values(program)["api"] == {"dashboard": None}


def test_the_rehearsal_renders_the_arguments_of_the_real_charts() -> None:
    # Recorded with Helm from k3s' chart 39.0.701. The vendor's charts 40.1.0, 40.3.0 and 41.3.0 render the same.
    recorded = (RECORDED / "traefik-arguments.txt").read_text().lower().splitlines()
    rendered = flags(
        traefik_values.chart_values(trusted=["173.245.48.0/20", "2400:cb00::/32"]),
        addresses={"websecure": ":443/tcp", "traefik": "127.0.0.1:8080/tcp", "metrics": f":{METRICS_PORT}/tcp"},
    )
    assert sorted(flag.lower() for flag in rendered) == sorted(recorded)


@pytest.mark.parametrize("major", sorted({charts.traefik for charts in K3S_CHARTS.values()}))
def test_every_bundled_chart_takes_the_values(program: Capture, major: int) -> None:
    schema = json.loads((RECORDED / f"traefik-chart-{major}.json").read_text())
    # Helm removes keys that are null before it validates the values.
    jsonschema.validate(without_null(values(program)), schema)
    # It refuses a value of the other chart.
    unknown = "logs" if major >= 41 else "accessLog"
    with pytest.raises(jsonschema.ValidationError, match=unknown):
        jsonschema.validate({unknown: {}}, schema)


def test_a_failed_upgrade_of_a_chart_uninstalls_nothing(full_example: Capture) -> None:
    charts = [*full_example.resources("HelmChart"), *full_example.resources("HelmChartConfig")]
    # traefik-crd: k3s' chart with the definitions of all middlewares.
    assert {"traefik", "traefik-crd", "kured"} <= {chart.name for chart in charts}
    assert {chart.inputs["spec"]["failurePolicy"] for chart in charts} == {"abort"}


def test_traefik_reads_secrets_in_the_app_namespace_only_from_before_the_chart_loses_its_rights(
    program: Capture,
) -> None:
    config = program.resource("HelmChartConfig", "traefik")
    assert values(program)["rbac"] == {"enabled": False}
    bindings = {
        binding.urn
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in program.resources(kind)
        if {"kind": "ServiceAccount", "name": "traefik", "namespace": "kube-system"} in binding.inputs["subjects"]
    }
    assert len(bindings) == 2
    assert bindings <= dependencies_of(program, config)
    cluster_wide = program.resource("ClusterRole", "honeydue-traefik").inputs["rules"]
    assert {name for rule in cluster_wide for name in rule["resources"]} == {"nodes", "ingressclasses"}
    role = program.resource("Role", "traefik")
    assert role.inputs["metadata"]["namespace"] == "honeydue"
    for rule in (*cluster_wide, *role.inputs["rules"]):
        assert rule["verbs"] == ["get", "list", "watch"]


@pytest.mark.parametrize(
    "unknown",
    [{"tracing": {"otlp": {"enabled": True}}}, {"ports": {"websecure": {"proxyProtocol": {"insecure": True}}}}],
)
def test_a_value_that_the_rehearsal_does_not_support_is_an_error(unknown: dict[str, Any]) -> None:
    with pytest.raises(
        RehearsalError, match=r"support (tracing\.otlp\.enabled|ports\.websecure\.proxyProtocol\.insecure) in"
    ):
        command_line(unknown, listen=dict.fromkeys(("traefik", "web", "websecure", "metrics"), 1))


def test_the_password_file_is_secret_and_its_middleware_depends_on_it(example: Capture, with_password: Capture) -> None:
    assert "admin-auth" not in {resource.name for resource in example.resources("Middleware")}
    users = with_password.resource("Secret", "admin-basic-auth")
    assert users.inputs["stringData"] == {"users": ADMIN_USERS}
    hashed = ADMIN_USERS.partition(":")[2]
    assert [
        resource.urn
        for resource in with_password.registrations
        if any(hashed in text for text in plain_strings(resource.request.object))
    ] == []
    assert users.urn in dependencies_of(with_password, with_password.resource("Middleware", "admin-auth"))
