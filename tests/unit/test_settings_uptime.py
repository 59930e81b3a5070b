"""Errors in the settings of the uptime Worker: one line for each, before anything is contacted."""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.settings.uptime import MAX_BYTES, MAX_URLS
from tests.unit.capture import full_settings
from tests.unit.placeholders import OPTIONAL_SETTINGS
from tests.unit.test_settings_monitoring import full_errors_of

UPTIME: Mapping[str, Any] = OPTIONAL_SETTINGS["honeydue:uptime"]  # type: ignore[assignment]  # it is a mapping
DOMAIN = str(full_settings()["honeydue:domain"])
SECRETS = ("uptimeWebhookUrl", "uptimeMailToken", "uptimeHeartbeatUrl")


def errors_of(changes: Mapping[str, object]) -> list[str]:
    return full_errors_of({"honeydue:uptime": {**UPTIME, **changes}})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"failures": 0}, "honeydue:uptime.failures holds 0: at least 1 was expected"),
        ({"failures": True}, "honeydue:uptime.failures holds true: a number was expected"),
        ({"mail": {"to": "nobody"}}, "honeydue:uptime.mail.to holds 'nobody': an e-mail address was expected"),
        ({"mail": {"from": "nobody"}}, "honeydue:uptime.mail.from holds 'nobody': an e-mail address was expected"),
        ({"mail": {"sessionUrl": "http://jmap.example.com"}}, "honeydue:uptime.mail.sessionUrl holds 'http://jmap"),
        ({"interval": "1m"}, "honeydue:uptime.interval is not a setting"),
        (
            {"urls": [{"url": f"https://{DOMAIN}/", "status": 20}]},
            "honeydue:uptime.urls.0.status holds 20: at least 100",
        ),
        (
            {"urls": [{"url": f"https://{DOMAIN}"}]},
            f"honeydue:uptime.urls.0.url holds 'https://{DOMAIN}': an address with",
        ),
        (
            {"urls": [{"url": f"http://{DOMAIN}/"}]},
            f"honeydue:uptime.urls.0.url holds 'http://{DOMAIN}/': an address with",
        ),
        ({"urls": [{"url": f"https://me:secret@{DOMAIN}/"}]}, "without a user and without a port"),
        ({"urls": [{"url": f"https://{DOMAIN}:8443/"}]}, "without a user and without a port"),
        ({"urls": [{"url": f"https://{DOMAIN}/a"}] * 2}, f"urls: contains https://{DOMAIN}/a more than once"),
        (
            {"urls": [{"url": f"https://{DOMAIN}/{'a' * 200}{number}"} for number in range(10)]},
            f"as JSON, at most {MAX_BYTES} were expected: shorten or remove entries",
        ),
        (
            {"urls": [{"url": f"https://{DOMAIN}/{number}"} for number in range(MAX_URLS + 1)]},
            f"honeydue:uptime.urls: at most {MAX_URLS} entries were expected",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(change: Mapping[str, object], expected: str) -> None:
    (line,) = errors_of(change)
    assert expected in line


@pytest.mark.parametrize("host", ["www.example.org", f"not{DOMAIN}", f"{DOMAIN}.example.org"])
def test_a_url_must_be_in_the_zone(host: str) -> None:
    """Each of them is one line. Other mistakes in the settings do not hide it."""
    first, second = full_errors_of(
        {
            "honeydue:uptime": {**UPTIME, "urls": [{"url": f"https://app.{DOMAIN}/"}, {"url": f"https://{host}/"}]},
            "honeydue:redis": {**full_settings()["honeydue:redis"], "memoryMi": 0},  # type: ignore[dict-item]
        }
    )
    assert "honeydue:redis.memoryMi" in first
    assert f"honeydue:uptime.urls.1.url holds 'https://{host}/': a host in the zone {DOMAIN} was expected" in second


@pytest.mark.parametrize("off", [{"webhook": False, "mail": False}, {"webhook": False, "mail": "false"}])
def test_somebody_must_be_informed(off: Mapping[str, object]) -> None:
    """The heartbeat is no recipient: it only reports that the Worker does not run."""
    (line,) = errors_of(off)
    assert "honeydue:uptime.mail" in line
    assert "mail or webhook must be set: otherwise nobody is informed" in line


def test_a_heartbeat_alone_informs_nobody() -> None:
    (line,) = full_errors_of({"honeydue:uptime": {"heartbeat": True}})
    assert "mail or webhook must be set" in line


@pytest.mark.parametrize("key", SECRETS)
def test_uptime_needs_its_secrets(key: str) -> None:
    (line,) = full_errors_of({}, without=key)
    assert f"honeydue:{key} is missing" in line
    assert f"pulumi config set --secret honeydue:{key}" in line


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_of_uptime_must_not_be_in_plain_text(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.settings.loading.is_config_secret", lambda name: name != f"honeydue:{key}")
    (line,) = full_errors_of({})
    assert f"honeydue:{key} is stored in plain text" in line


@pytest.mark.parametrize("key", ["uptimeWebhookUrl", "uptimeHeartbeatUrl"])
def test_the_worker_sends_its_messages_by_https(key: str) -> None:
    (line,) = full_errors_of({f"honeydue:{key}": "http://me:secret@hooks.example.com/1"})
    assert "an address that begins with https://" in line
    assert "secret@" not in line
