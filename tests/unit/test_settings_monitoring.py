"""Errors in the settings of metrics and alerts: one line for each, before anything is contacted."""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.settings.loading import SettingsError
from tests.unit.capture import full_settings, run

SETTINGS: Mapping[str, Any] = full_settings()
MONITORING: Mapping[str, Any] = SETTINGS["honeydue:monitoring"]


def full_errors_of(changes: Mapping[str, object], *, without: str = "") -> list[str]:
    """The errors of the program for changed settings of monitoring, with all others as in the full example."""
    settings = {**full_settings(), **changes}
    settings.pop(f"honeydue:{without}", None)
    with pytest.raises(SettingsError) as error:
        run(settings)
    return str(error.value).splitlines()[1:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"url": "http://obs.example.com"},
            "honeydue:monitoring.url holds 'http://obs.example.com': an address such as",
        ),
        ({"url": "https://me:secret@obs.example.com"}, "honeydue:monitoring.url holds 'https://…@obs.example.com': "),
        ({"url": "https://obs.example.com:70000"}, "honeydue:monitoring.url holds "),
        ({"url": "https://obs.example.com:0"}, "a port from 1 to 65535 was expected"),
        ({"url": "https://obs.example.com/"}, "without a user, a query and a slash at the end"),
        ({"alerts": {"recipient": "nobody"}}, "honeydue:monitoring.alerts.recipient holds 'nobody': an e-mail address"),
        ({"alerts": {"rules": []}}, "honeydue:monitoring.alerts.rules is not a setting"),
        ({"alerts": {"runbookUrl": "runbook.md"}}, "honeydue:monitoring.alerts.runbookUrl holds 'runbook.md'"),
        ({"api": {"maxConnections": 0}}, "honeydue:monitoring.api.maxConnections holds 0: at least 1 was expected"),
        ({"api": {"openConnections": "a-b"}}, "honeydue:monitoring.api.openConnections holds 'a-b': the name of a"),
        ({"images": {"vmalert": "vmalert:latest"}}, "honeydue:monitoring.images.vmalert holds 'vmalert:latest'"),
    ],
)
def test_a_wrong_setting_is_one_line(change: Mapping[str, object], expected: str) -> None:
    (line,) = full_errors_of({"honeydue:monitoring": {**MONITORING, **change}})
    assert expected in line


@pytest.mark.parametrize("key", ["metricsPassword", "alertWebhookUrl", "heartbeatUrl"])
def test_monitoring_needs_its_secrets(key: str) -> None:
    (line,) = full_errors_of({}, without=key)
    assert f"honeydue:{key} is missing" in line
    assert f"pulumi config set --secret honeydue:{key}" in line


@pytest.mark.parametrize("key", ["metricsPassword", "alertWebhookUrl", "heartbeatUrl"])
def test_a_secret_of_monitoring_must_not_be_in_plain_text(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.settings.loading.is_config_secret", lambda name: name != f"honeydue:{key}")
    (line,) = full_errors_of({})
    assert f"honeydue:{key} is stored in plain text" in line


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/1", "https://hooks.example.com:8443/1", "https://me:secret@hooks.example.com/1"]
)
def test_alertmanager_may_only_connect_to_port_443(url: str) -> None:
    (line,) = full_errors_of({"honeydue:heartbeatUrl": url})
    assert "an address that begins with https://, without a user and without a port" in line
    assert "secret@" not in line


def test_alerts_need_a_mail_server() -> None:
    environment = dict(SETTINGS["honeydue:environment"])
    del environment["EMAIL_HOST"]
    (line,) = full_errors_of({"honeydue:environment": environment})
    assert "needs EMAIL_HOST in honeydue:environment: alerts are sent through the same mail server" in line
