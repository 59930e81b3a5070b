"""The uptime Worker in the program: nothing while it is off, its bindings, and the URLs that it requests."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.edge.uptime.checks import HEALTHY, TIMEOUT_MS, checks, worker_config
from infra.edge.uptime.worker import SCRIPT
from infra.names import UPTIME_SCRIPT, hostnames
from infra.settings.apps import HEALTH_PATH
from infra.settings.uptime import FASTMAIL_SESSION, MAX_BYTES, UptimeSettings, UptimeUrl
from ops.status.stack import validated
from tests.unit.capture import Capture, full_settings, run
from tests.unit.cloud_mocks import ACCOUNT_ID

DOMAIN = "example.com"
KINDS = ("WorkersScript", "WorkersCronTrigger", "WorkersScriptSubdomain")
SECRETS = {"WEBHOOK_URL": "uptimeWebhookUrl", "MAIL_TOKEN": "uptimeMailToken", "HEARTBEAT_URL": "uptimeHeartbeatUrl"}
MAXIMUM_BYTES = 5_000
"""Of a variable of a Worker: https://developers.cloudflare.com/workers/platform/limits/#environment-variables"""


@pytest.fixture
def full(full_example: Capture) -> Capture:
    return full_example


LONG: Mapping[str, Any] = {"mail": {"from": f"{'a' * 64}@example.com", "to": "me@example.com"}, "heartbeat": True}
"""With the longest URLs that the settings accept."""


@pytest.fixture(scope="module")
def long() -> Capture:
    """A run without a webhook, although its secret is set, and without users of the admin panel."""
    settings = full_settings()
    del settings["honeydue:adminBasicAuth"]
    urls = [{"url": f"https://{number}.{settings['honeydue:domain']}/{'a' * 135}"} for number in range(10)]
    return run({**settings, "honeydue:uptime": {**LONG, "urls": urls}})


def bindings(capture: Capture) -> Mapping[str, Mapping[str, Any]]:
    return {binding["name"]: binding for binding in capture.resource("WorkersScript", "uptime").inputs["bindings"]}


def config(capture: Capture) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(bindings(capture)["CONFIG"]["json"])
    return content


def test_nothing_is_declared_while_uptime_is_off(example: Capture) -> None:
    assert not [entry.urn for entry in example.registrations if "uptime" in entry.name]
    assert "uptimeStatusToken" not in example.outputs


def test_all_resources_belong_to_one_script_in_the_account_of_the_zone(full: Capture) -> None:
    for kind in KINDS:
        inputs = full.resource(kind, "uptime").inputs
        assert (inputs["accountId"], inputs["scriptName"]) == (ACCOUNT_ID, UPTIME_SCRIPT)
    assert full.resource("WorkersCronTrigger", "uptime").inputs["schedules"] == [{"cron": "* * * * *"}]
    subdomain = full.resource("WorkersScriptSubdomain", "uptime").inputs
    assert (subdomain["enabled"], subdomain["previewsEnabled"]) == (True, False)


def test_the_script_enters_cloudflare_like_a_visitor_and_is_deleted_by_force(full: Capture) -> None:
    inputs = full.resource("WorkersScript", "uptime").inputs
    assert inputs["compatibilityFlags"] == ["global_fetch_strictly_public"]
    assert inputs["content"] == SCRIPT.read_text()
    assert "contentFile" not in inputs
    assert inputs["force"] is True


def test_a_hook_creates_the_class_and_the_script_declares_no_migration(full: Capture) -> None:
    """Cloudflare would refuse every upload after the first one."""
    script = full.resource("WorkersScript", "uptime")
    assert "migrations" not in script.inputs
    assert list(script.request.hooks.before_create) == ["uptime-class"]
    assert bindings(full)["STATE"] == {
        "name": "STATE",
        "type": "durable_object_namespace",
        "className": "UptimeState",
    }
    assert "export class UptimeState " in script.inputs["content"]


def test_each_secret_of_the_settings_is_a_secret_of_the_script(full: Capture) -> None:
    actual = bindings(full)
    assert actual.keys() == {"STATE", "CONFIG", "STATUS_TOKEN", *SECRETS}
    for name, key in SECRETS.items():
        assert actual[name] == {"name": name, "type": "secret_text", "text": full.settings[f"honeydue:{key}"]}
    assert "placeholder" not in bindings(full)["CONFIG"]["json"]
    assert "uptimeStatusToken" in full.secret_outputs
    assert full.outputs["uptimeStatusToken"] == actual["STATUS_TOKEN"]["text"]


def test_what_is_off_has_no_binding(long: Capture) -> None:
    assert bindings(long).keys() == {"STATE", "CONFIG", "STATUS_TOKEN", "MAIL_TOKEN", "HEARTBEAT_URL"}


def test_mail_has_defaults(full: Capture, long: Capture) -> None:
    session = {"sessionUrl": FASTMAIL_SESSION}
    assert config(full)["mail"] == {**session, "from": "mail@example.com", "to": "admin@example.com"}
    assert config(long)["mail"] == {**session, **LONG["mail"]}
    settings = validated({key.removeprefix("honeydue:"): value for key, value in full_settings().items()})  # type: ignore[misc]
    assert worker_config(settings, UptimeSettings(webhook=True), admin_auth=False)["mail"] is None


def test_every_host_of_the_site_is_checked(full: Capture) -> None:
    actual = {check["name"]: check for check in config(full)["checks"]}
    hosts = hostnames(str(full.settings["honeydue:domain"]))
    assert actual.keys() == hosts.keys()
    assert actual.pop("api") == {
        "name": "api",
        "url": f"https://{hosts['api']}{HEALTH_PATH}",
        "status": 200,
        "body": HEALTHY,
    }
    for name, check in actual.items():
        expected = 401 if name == "admin" else 200
        assert check == {"name": name, "url": f"https://{hosts[name]}/", "status": expected}
    assert (config(full)["failures"], config(full)["timeoutMs"]) == (3, TIMEOUT_MS)


def test_admin_returns_200_without_basic_authentication(long: Capture) -> None:
    (admin,) = [check for check in config(long)["checks"] if check["name"] == "admin"]
    assert admin["status"] == 200


def test_a_url_of_the_settings_replaces_what_is_expected_or_is_checked_too() -> None:
    health, other = f"https://api.{DOMAIN}{HEALTH_PATH}", f"https://app.{DOMAIN}/login?next=1"
    uptime = UptimeSettings(
        webhook=True, urls=(UptimeUrl(url=health, body='"redis":"up"'), UptimeUrl(url=other, status=307))
    )
    actual = checks(DOMAIN, uptime, admin_auth=False)
    assert actual.keys() == {*hostnames(DOMAIN), f"app.{DOMAIN}/login?next=1"}
    assert (actual["api"].status, actual["api"].body) == (200, '"redis":"up"')
    assert actual[f"app.{DOMAIN}/login?next=1"].status == 307


def test_the_longest_settings_fit_into_a_variable(long: Capture) -> None:
    assert MAX_BYTES < len(bindings(long)["CONFIG"]["json"]) <= MAXIMUM_BYTES


def test_the_worker_starts_after_the_site(full: Capture) -> None:
    """Otherwise the first start of the site would be reported as an outage."""
    dependencies = full.resource("WorkersScript", "uptime").request.dependencies
    kinds = {urn.split("::")[-2].rpartition(":")[2] for urn in dependencies}
    assert {"Ingress", "DnsRecord"} <= kinds
