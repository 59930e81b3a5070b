"""Traces: the variables of OpenTelemetry that api and worker have, the password, and the port that they may reach."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from opentelemetry.sdk.resources import OTELResourceDetector
from opentelemetry.util.re import parse_env_headers

from infra.apps.traces import authorization
from infra.settings.loading import SettingsError
from ops.plain_text import plain_text
from ops.plan import State
from tests.unit.capture import Capture, example_settings, full_settings, run
from tests.unit.registrations import app_pods, plain_strings

SETTING = "honeydue:traces"
SETTINGS: Mapping[str, Any] = full_settings()
TRACES: Mapping[str, Any] = SETTINGS[SETTING]
ENVIRONMENT: Mapping[str, str] = SETTINGS["honeydue:environment"]
TRACED = {"api", "worker"}
CONFIG_MAP, SECRET = "honeydue-config", "honeydue-secrets"


def variables(program: Capture, app: str) -> Mapping[str, str]:
    """The variables of OpenTelemetry in the containers of an app, from all their sources."""
    pods = [template for resource, template in app_pods(program) if resource.name == app]
    (container,) = (container for template in pods for container in template["spec"]["containers"])
    return {name: value for name, value in _variables(program, container) if name.startswith("OTEL_")}


def _variables(program: Capture, container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom", ()):
        if reference := source.get("configMapRef"):
            yield from program.resource("ConfigMap", reference["name"]).inputs["data"].items()
        if reference := source.get("secretRef"):
            yield from program.resource("Secret", reference["name"]).inputs["stringData"].items()
    yield from ((variable["name"], variable.get("value", "")) for variable in container.get("env", ()))


def internet_ports(program: Capture, policy: str) -> list[int]:
    """The ports of the internet that a policy allows, one for each rule."""
    rules = program.resource("NetworkPolicy", policy).inputs["spec"]["egress"]
    return [int(rule["ports"][0]["port"]) for rule in rules if "ipBlock" in rule["to"][0]]


@pytest.mark.parametrize("app", sorted(TRACED))
def test_api_and_worker_have_the_standard_variables(app: str, full_example: Capture) -> None:
    tag = SETTINGS["honeydue:images"][app].partition("@")[0]
    assert variables(full_example, app) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": TRACES["url"],
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": authorization(TRACES["username"], "placeholder-of-tracesPassword"),
        "OTEL_SERVICE_NAME": {"api": "api", "worker": "jobs"}[app],
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(TRACES["sampleRatio"]),
        "OTEL_RESOURCE_ATTRIBUTES": (
            f"service.namespace=honeydue,service.version={tag},k8s.cluster.name={SETTINGS['honeydue:domain']}"
        ),
    }


def test_no_other_pod_has_a_variable_of_traces(full_example: Capture) -> None:
    others = {resource.name for resource, _ in app_pods(full_example)} - TRACED
    assert others >= {"redis", "migrate", "admin", "web"}
    assert [app for app in others if variables(full_example, app)] == []


def test_without_the_setting_nothing_is_added() -> None:
    settings = example_settings()
    program = run({**settings, "honeydue:environment": ENVIRONMENT})
    assert SETTING not in settings
    assert [app for app in TRACED if variables(program, app)] == []
    assert all("env" not in container for container in _containers(program, *TRACED))


def _containers(program: Capture, *apps: str) -> list[Mapping[str, Any]]:
    return [
        container
        for resource, template in app_pods(program)
        if resource.name in apps
        for container in template["spec"]["containers"]
    ]


def test_an_sdk_reads_the_release_and_the_cluster_of_a_digested_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    images = {**SETTINGS["honeydue:images"], "api": f"1a2b3c@sha256:{'0' * 64}"}
    found = variables(run({**SETTINGS, "honeydue:images": images}), "api")
    for name in ("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME"):
        monkeypatch.setenv(name, found[name])
    attributes = OTELResourceDetector().detect().attributes
    assert attributes["service.version"] == "1a2b3c"
    assert attributes["k8s.cluster.name"] == SETTINGS["honeydue:domain"]


@pytest.mark.parametrize("password", ["plain", "a+b/c=", "p%41ss, word; ümläut ~~~", "?>?>?>"])
def test_an_sdk_reads_the_header_of_any_password(password: str) -> None:
    headers = parse_env_headers(authorization("user", password))
    scheme, _, credentials = headers["authorization"].partition(" ")
    assert (scheme, b64decode(credentials).decode()) == ("Basic", f"user:{password}")


def test_a_strict_parser_finds_no_character_that_it_would_split_at_or_decode() -> None:
    # Base64 of this password contains "+", "/" and "=".
    name, _, value = authorization("user", "?>?>?>~").partition("=")
    assert name == "Authorization"
    assert not set(value) & set(" +/=,;")


def test_the_password_is_only_in_the_secret(full_example: Capture) -> None:
    header = authorization(TRACES["username"], "placeholder-of-tracesPassword").partition("=")[2]
    for resource in full_example.registrations:
        texts = list(plain_strings(resource.request.object))
        assert not any("tracesPassword" in text or header in text for text in texts), resource.urn


def test_another_password_restarts_api_and_worker_only() -> None:
    programs = [run({**SETTINGS, "honeydue:tracesPassword": f"placeholder-of-{name}"}) for name in ("one", "another")]
    first, second = ({resource.name: template for resource, template in app_pods(program)} for program in programs)
    assert {app for app, template in first.items() if template != second[app]} == TRACED


@pytest.mark.parametrize("policy", [name for app in sorted(TRACED) for name in (app, f"{app}-running")])
def test_the_port_of_the_collector_has_one_rule(policy: str, full_example: Capture, example: Capture) -> None:
    without = internet_ports(example, policy)
    assert internet_ports(full_example, policy) == [*without, 4318]
    https = run({**SETTINGS, SETTING: {**TRACES, "url": "https://traces.example.com/otlp"}})
    assert internet_ports(https, policy) == without


def test_no_other_policy_allows_the_port_of_the_collector(full_example: Capture) -> None:
    allowed = {
        resource.name
        for resource in full_example.resources("NetworkPolicy")
        for rule in resource.inputs["spec"].get("egress") or ()
        for port in rule.get("ports") or ()
        if port["port"] == 4318
    }
    assert allowed == TRACED | {f"{app}-running" for app in TRACED}


def errors_of(changes: Mapping[str, object], *, without: str = "") -> list[str]:
    settings = {**SETTINGS, **changes}
    settings.pop(f"honeydue:{without}", None)
    with pytest.raises(SettingsError) as error:
        run(settings)
    return str(error.value).splitlines()[1:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"url": "http://obs.example.com"}, "honeydue:traces.url holds 'http://obs.example.com': an address such as"),
        ({"url": "https://u:secret@obs.example.com"}, "honeydue:traces.url holds "),
        (
            {"url": "https://obs.example.com/v1/traces"},
            "appends /v1/traces to the URL; the URL without it was expected: https://obs.example.com",
        ),
        ({"url": "https://obs.example.com/v1/traces/"}, "and a slash at the end"),
        ({"username": "a:b"}, "honeydue:traces.username holds 'a:b': a name without a colon was expected"),
        ({"username": ""}, "honeydue:traces.username holds '': a name without a colon was expected"),
        ({"sampleRatio": 1.5}, "honeydue:traces.sampleRatio holds 1.5: at most 1"),
        ({"sampleRatio": -0.1}, "honeydue:traces.sampleRatio holds -0.1: at least 0"),
        ({"sampleRatio": True}, "honeydue:traces.sampleRatio holds true: a number was expected"),
        ({"services": {"web": "web"}}, "honeydue:traces.services.web is not a setting"),
        ({"sampler": "always_on"}, "honeydue:traces.sampler is not a setting"),
    ],
)
def test_a_wrong_setting_is_one_line(change: Mapping[str, object], expected: str) -> None:
    (line,) = errors_of({SETTING: {**TRACES, **change}})
    assert expected in line


def test_the_password_is_required() -> None:
    (line,) = errors_of({}, without="tracesPassword")
    assert "honeydue:tracesPassword is missing" in line
    assert "pulumi config set --secret honeydue:tracesPassword" in line


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
)
def test_a_variable_that_is_also_in_the_environment_is_one_line(name: str) -> None:
    (line,) = errors_of({"honeydue:environment": {**ENVIRONMENT, name: "https://obs.example.com"}})
    assert line.endswith(
        f"honeydue:traces: sets {name}, but honeydue:environment has a value, too: remove it from honeydue:environment"
    )


def test_other_variables_of_opentelemetry_may_be_in_the_environment() -> None:
    program = run({**SETTINGS, "honeydue:environment": {**ENVIRONMENT, "OTEL_BSP_SCHEDULE_DELAY": "1000"}})
    assert variables(program, "api")["OTEL_BSP_SCHEDULE_DELAY"] == "1000"


@pytest.mark.parametrize("without", ["", "traces"])
@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"])
def test_credentials_in_the_environment_are_refused_without_being_printed(name: str, without: str) -> None:
    environment = {**ENVIRONMENT, name: "Authorization=Basic%20c2VjcmV0"}
    (line,) = errors_of({"honeydue:environment": environment}, without=without)
    assert f"{name} may contain a password, but environment is stored in plain text" in line
    assert "c2VjcmV0" not in line


def test_credentials_in_the_variables_of_a_pod_are_a_secret_in_plain_text() -> None:
    variable = {"name": "OTEL_EXPORTER_OTLP_HEADERS", "value": "Authorization=Basic%20c2VjcmV0"}
    pod = State(urn="urn:pulumi:prod::honeydue::x::y", type="kubernetes:core/v1:Pod", inputs={"env": [variable]})
    assert list(plain_text(pod)) == ["env[0].OTEL_EXPORTER_OTLP_HEADERS"]
