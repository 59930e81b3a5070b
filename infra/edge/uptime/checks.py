"""What the Worker requests and what it expects, derived from the settings."""

from collections.abc import Mapping
from http import HTTPStatus

from infra.names import hostnames
from infra.settings.apps import HEALTH_PATH
from infra.settings.schema import Settings
from infra.settings.uptime import UptimeSettings, UptimeUrl

HEALTHY = '"status":"ok"'
"""A text in the body of api's health check. Without redis, api returns 200 with another status in its body."""
TIMEOUT_MS = 10_000
"""The timeout of one request. Six requests run at the same time, so that all checks end before the next run starts."""


def public_urls(domain: str, *, admin_auth: bool) -> Mapping[str, UptimeUrl]:
    """The URL of each hostname of the site, by its short name.

    With `admin_auth`, Traefik asks for a user and a password before it passes a request to the admin panel.
    """
    urls = {name: UptimeUrl(url=f"https://{host}/") for name, host in hostnames(domain).items()}
    urls["api"] = UptimeUrl(url=f"https://{hostnames(domain)['api']}{HEALTH_PATH}", body=HEALTHY)
    if admin_auth:
        urls["admin"] = urls["admin"].model_copy(update={"status": HTTPStatus.UNAUTHORIZED})
    return urls


def checks(domain: str, uptime: UptimeSettings, *, admin_auth: bool) -> Mapping[str, UptimeUrl]:
    """All URLs by the name in messages. A URL of the settings that is public already replaces what is expected."""
    public = public_urls(domain, admin_auth=admin_auth)
    names = {item.url: name for name, item in public.items()}
    return {**public, **{names.get(item.url, str(item.check()["name"])): item for item in uptime.urls}}


def worker_config(settings: Settings, uptime: UptimeSettings, *, admin_auth: bool) -> Mapping[str, object]:
    """The binding CONFIG of the script. It contains no secret."""
    mail = uptime.mail
    return {
        "checks": [
            expected.check(name) for name, expected in checks(settings.domain, uptime, admin_auth=admin_auth).items()
        ],
        "failures": uptime.failures,
        "timeoutMs": TIMEOUT_MS,
        "mail": mail
        and {
            "sessionUrl": mail.session_url,
            "from": mail.sender or settings.email_user,
            "to": mail.recipient or settings.admin_email,
        },
    }
