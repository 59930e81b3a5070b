"""Traefik requires Cloudflare's client certificate only after Cloudflare has presented it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops import kubernetes
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.client_certificate import command
from ops.client_certificate.access_log import Requests, count_requests
from ops.guardrails.client_certificate import certificate_seen
from ops.guardrails.rules import RULES
from ops.plan import Plan, State
from tests.unit.plans import plan, step, urn

SETTINGS = {"cloudflareToken": "token"}
AUTHORITY, OTHER_AUTHORITY = "0123456789abcdef", "fedcba9876543210"
TLS_OPTION, INGRESS = "kubernetes:traefik.io/v1alpha1:TLSOption", "kubernetes:networking.k8s.io/v1:Ingress"
SERVER = "hcloud:index/server:Server"
UPLOADED = "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate"
REQUEST, CA = "tls:index/certRequest:CertRequest", "tls:index/selfSignedCert:SelfSignedCert"


def client_auth(mode: str) -> dict[str, Any]:
    return {"inputs": {"spec": {"clientAuth": {"clientAuthType": mode}}}}


REQUESTED, REQUIRED = client_auth("RequestClientCert"), client_auth("RequireAndVerifyClientCert")


def options(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    if old is None:
        return step("create", TLS_OPTION, "default", **new)
    return step("same" if old == new else "update", TLS_OPTION, "default", old=old, **new)


def request(op: str = "same", authority: str = AUTHORITY) -> dict[str, Any]:
    return step(op, REQUEST, "origin-pulls-request", inputs={"subject": {"serialNumber": authority}})


SERVERS, SITE = step("same", SERVER, "hetzner1"), step("same", INGRESS, "honeydue-api")
BOOTSTRAPPED = json.dumps({"initNode": "hetzner1"})
SEEN = json.dumps({"clientCertificate": "required", "clientCertificateSeen": AUTHORITY})


@pytest.mark.parametrize(
    ("planned", "refused"),
    [
        (plan(options(None, REQUIRED), request("create"), step("create", SERVER, "hetzner1")), False),
        # After an adoption: the servers exist, and the certificate is about to be uploaded.
        (plan(options(None, REQUIRED), request("create"), SERVERS), True),
        (plan(options(None, REQUESTED), request("create"), SERVERS, SITE), False),
        # The first `up` of a new cluster was interrupted before anything was served.
        (plan(options(None, REQUIRED), request(), SERVERS, cluster=BOOTSTRAPPED), False),
        (plan(options(REQUESTED, REQUIRED), request(), SERVERS, SITE, cluster=BOOTSTRAPPED), True),
        (plan(options(REQUESTED, REQUIRED), request(), SERVERS, SITE), True),
        (plan(options(REQUESTED, REQUIRED), request(), SERVERS, SITE, edge=SEEN), False),
        (plan(options(REQUESTED, REQUIRED), request(authority=OTHER_AUTHORITY), SERVERS, SITE, edge=SEEN), True),
        (plan(options(REQUIRED, REQUIRED), request(), SERVERS, SITE), False),
        # A renewal.
        (plan(options(REQUIRED, REQUIRED), step("replace", CA, "origin-pulls-authority"), SERVERS, SITE), True),
        (plan(options(REQUIRED, REQUESTED), step("replace", CA, "origin-pulls-authority"), SERVERS, SITE), True),
        (plan(options(REQUESTED, REQUESTED), step("replace", CA, "origin-pulls-authority"), SERVERS, SITE), False),
        (
            plan(
                options(REQUESTED, REQUIRED), step("replace", UPLOADED, "origin-pulls"), request(), SERVERS, edge=SEEN
            ),
            True,
        ),
        (plan(step("same", SERVER, "hetzner1")), False),
    ],
)
def test_a_running_site_requires_only_a_certificate_that_was_seen(planned: Plan, refused: bool) -> None:
    violations = list(certificate_seen(planned))
    assert [violation.resource for violation in violations] == (["TLSOption::default"] if refused else [])
    assert all("make require-client-certificate" in violation.fix for violation in violations)
    assert not any(violation.confirmable for violation in violations)


def test_the_rule_is_a_guard_rail() -> None:
    assert certificate_seen in RULES


def line(authority: str | None, *, ray: str | None = "8f1-FRA", time: str = "2026-11-26T09:00:00Z") -> str:
    entry = {"RequestPath": "/", "time": time}
    if authority:
        entry["TLSClientSubject"] = f"SERIALNUMBER={authority},CN=Cloudflare for myhoneydue.com,O=honeyDue"
    if ray:
        entry["request_Cf-Ray"] = ray
    return json.dumps(entry)


def test_requests_of_cloudflare_are_counted_by_their_certificate() -> None:
    log = "\n".join(
        [
            '{"level":"info","msg":"Configuration loaded"}',
            "goroutine 1 [running]:",
            line(AUTHORITY),
            line(AUTHORITY),
            line(OTHER_AUTHORITY, time="2026-11-26T09:01:00Z"),
            line(None, time="2026-11-26T09:02:00Z"),
            line(None, ray=None),
            line(AUTHORITY[:-1] + "0"),
        ]
    )
    assert count_requests(log, authority=AUTHORITY) == Requests(expected=2, other=3, last_other="2026-11-26T09:00:00Z")


class FakeCluster(kubernetes.Cluster):
    """The pods of Traefik and their logs, by node."""

    def __init__(self, logs: Mapping[str, str]) -> None:
        super().__init__(None, "")
        self._logs = logs

    def __enter__(self) -> "FakeCluster":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def list(self, api_version: str, kind: str, namespace: str) -> list[kubernetes.Object]:
        assert (api_version, kind, namespace) == ("v1", "Pod", "kube-system")
        labels = {"app.kubernetes.io/name": "traefik"}
        return [
            {"metadata": {"name": "coredns-x"}, "spec": {"nodeName": "a"}},
            *(
                {"metadata": {"name": f"traefik-{node}", "labels": labels}, "spec": {"nodeName": node}}
                for node in self._logs
            ),
        ]

    def log(self, namespace: str, pod: str, *, lines: int | None = None, since_seconds: int | None = None) -> str:
        assert (namespace, lines, since_seconds) == ("kube-system", None, 600)
        return self._logs[pod.removeprefix("traefik-")]


def resources(mode: dict[str, Any]) -> list[State]:
    def state(kind: str, name: str, **more: object) -> State:
        return State.model_validate({"urn": urn(kind, name), "type": kind, "custom": True, **more})

    return [
        state(TLS_OPTION, "default", **mode),
        state(REQUEST, "origin-pulls-request", inputs={"subject": {"serialNumber": AUTHORITY}}),
        state(UPLOADED, "origin-pulls", id="zone/certificate", inputs={"zoneId": "zone"}),
    ]


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    logs: Mapping[str, str],
    status: str = "active",
    mode: dict[str, Any] = REQUESTED,
    values: Mapping[str, str] = SETTINGS,
) -> tuple[Result, str]:
    """Runs the command. Returns its result and the settings file."""
    file = folder / "Pulumi.prod.yaml"
    file.write_text("config:\n  honeydue:edge:\n    clientCertificate: requested\n")

    def client_certificate_status(_: object, zone: str, certificate: str) -> str:
        assert (zone, certificate) == ("zone", "certificate")
        return status

    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))
    monkeypatch.setattr(command, "read_settings", lambda _: values)
    monkeypatch.setattr(command, "state_resources", lambda _: resources(mode))
    monkeypatch.setattr(Cloudflare, "client_certificate_status", client_certificate_status)
    monkeypatch.setattr(kubernetes, "connect", lambda *_: FakeCluster(logs))
    result = CliRunner().invoke(command.require_client_certificate, ["--stack", "prod"])
    return result, file.read_text()


def test_the_command_writes_the_setting_when_every_node_has_seen_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = {"a": line(AUTHORITY), "b": f"{line(AUTHORITY)}\n{line(AUTHORITY)}\n{line(None, ray=None)}"}
    result, settings = run(tmp_path, monkeypatch, logs=logs)
    assert result.exit_code == 0, result.output
    assert "all 3 requests" in result.output
    assert "clientCertificate: required" in settings
    assert f"clientCertificateSeen: {AUTHORITY}" in settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "pending_deployment"}, "the client certificate is pending_deployment and not active"),
        ({"values": {}}, "honeydue:cloudflareToken is missing: pulumi config set --secret honeydue:cloudflareToken"),
        ({"mode": REQUIRED}, "Traefik requires the client certificate already"),
        ({"logs": {}}, "no pod in kube-system has the label"),
        ({"logs": {"a": line(AUTHORITY), "b": ""}}, "on node b, Traefik's access log has no request of Cloudflare"),
        (
            {"logs": {"a": f"{line(AUTHORITY)}\n{line(OTHER_AUTHORITY)}"}},
            "on node a, 1 of 2 requests of Cloudflare in the last 10 minutes had another client certificate or none, "
            "the last one at 2026-11-26T09:00:00Z",
        ),
        ({"logs": {"a": line(None)}}, "1 of 1 requests"),
    ],
)
def test_the_command_refuses_a_certificate_that_cloudflare_does_not_present(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    result, settings = run(tmp_path, monkeypatch, **{"logs": {"a": line(AUTHORITY)}, **changes})
    assert result.exit_code == 1
    assert "The setting was not changed" in result.output
    assert message in result.output
    assert "requested" in settings
