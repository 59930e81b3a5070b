"""Settings of the uptime Worker (infra/edge/uptime/). docs/uptime.md describes them for operators."""

import json
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from infra.settings.model import Model
from infra.settings.types import Count, Email, HttpsUrl, Number, Text, matching

FASTMAIL_SESSION = "https://api.fastmail.com/jmap/session"
"""https://www.fastmail.com/dev/ documents it. A JMAP client reads all other URLs there (RFC 8620)."""
MAX_BYTES = 3_500
"""Of the checks of `urls` as JSON. The rest of 5 KB, the maximum of a Worker's variable, is for the other settings
(https://developers.cloudflare.com/workers/platform/limits/#environment-variables)."""
MAX_URLS = 20
"""Each is one subrequest, and a run of a Worker on the Free plan may send 50
(https://developers.cloudflare.com/workers/platform/limits/#subrequests)."""

PublicUrl = Annotated[
    str,
    matching(
        r"https://([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(/[\w.~/%-]*(\?[\w.~/%=&-]+)?)",
        'an address with a path such as "https://app.example.com/login", without a user and without a port,',
    ),
]
HttpStatus = Annotated[Number, Field(ge=100, le=599)]


def _switched(value: object) -> object:
    """Reads `false` as no mail, and `true` as mail with the defaults."""
    if value in (False, "false"):
        return None
    return {} if value in (True, "true") else value


class UptimeMail(Model):
    """Mail by JMAP, because a Worker cannot use SMTP. The secret `uptimeMailToken` is the API token.

    By default the sender is `honeydue:emailUser`, and the recipient is `honeydue:adminEmail`.
    """

    session_url: HttpsUrl = FASTMAIL_SESSION
    sender: Annotated[Email | None, Field(alias="from")] = None
    recipient: Annotated[Email | None, Field(alias="to")] = None


class UptimeUrl(Model):
    """A URL that the Worker requests, the status that it must return, and a text that its body must contain.

    A URL that the Worker requests in any case can be listed too. It then has this status and this text.
    """

    url: PublicUrl
    status: HttpStatus = 200
    body: Text | None = None

    def check(self, name: str | None = None) -> Mapping[str, str | int]:
        """The URL as the script reads it. By default, its name in messages is the URL without https://."""
        return {"name": name or self.url.removeprefix("https://"), **self.model_dump(exclude_none=True)}

    @field_validator("url")
    @classmethod
    def _in_the_zone(cls, value: str, info: ValidationInfo) -> str:
        # The domain as written and not as validated: an invalid domain must not hide this mistake.
        domain = (info.context or {}).get("domain")
        host = urlsplit(value).hostname or ""
        if isinstance(domain, str) and domain and host != domain and not host.endswith(f".{domain}"):
            raise ValueError(f"a host in the zone {domain} was expected, because the Worker checks this site")
        return value


class UptimeSettings(Model):
    """The Worker that requests every public URL once a minute.

    It reports a URL after `failures` failed checks in a row, to the webhook in the secret `uptimeWebhookUrl`, by mail,
    or both. With `heartbeat`, it requests the secret `uptimeHeartbeatUrl` after each run. `urls` are checked besides
    the URLs that follow from the other settings.
    """

    failures: Count = 3
    webhook: bool = False
    mail: Annotated[UptimeMail | None, BeforeValidator(_switched), Field(validate_default=True)] = None
    heartbeat: bool = False
    urls: Annotated[tuple[UptimeUrl, ...], Field(max_length=MAX_URLS)] = ()

    @field_validator("mail")
    @classmethod
    def _somebody_is_informed(cls, value: UptimeMail | None, info: ValidationInfo) -> UptimeMail | None:
        if value is None and info.data.get("webhook") is False:
            raise ValueError("mail or webhook must be set: otherwise nobody is informed when the site is down")
        return value

    @field_validator("urls")
    @classmethod
    def _urls_are_distinct_and_fit(cls, value: tuple[UptimeUrl, ...]) -> tuple[UptimeUrl, ...]:
        if (size := len(json.dumps([item.check() for item in value], separators=(",", ":")))) > MAX_BYTES:
            raise ValueError(f"has {size} bytes as JSON, at most {MAX_BYTES} were expected: shorten or remove entries")
        urls = [item.url for item in value]
        if duplicates := sorted({url for url in urls if urls.count(url) > 1}):
            raise ValueError(f"contains {', '.join(duplicates)} more than once")
        return value
