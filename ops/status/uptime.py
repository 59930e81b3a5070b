"""The lines about the uptime Worker: its last results, and whether it still runs."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import requests
from pydantic import AwareDatetime, BaseModel, ValidationError

from infra.bearer import bearer
from infra.names import UPTIME_SCRIPT
from ops.errors import OpsError
from ops.json_paths import dig
from ops.status.line import Line, problem
from ops.status.times import age

CONNECT_SECONDS, READ_SECONDS = 5, 20
OVERDUE = timedelta(minutes=5)
"""A run starts every minute, and Cloudflare may start one late."""
OUTPUT = "uptimeStatusToken"
"""The output of the stack with the Worker's token."""


class Check(BaseModel):
    """The result for one URL."""

    name: str
    url: str
    state: Literal["up", "down", "unknown"]
    since: AwareDatetime
    lastError: str | None = None  # noqa: N815  # the name in the JSON


class Results(BaseModel):
    """What the Worker returns. `checked` is the time of its last run."""

    checked: AwareDatetime | None
    checks: Sequence[Check]


def worker_url(cloudflare_token: str, domain: str) -> str:
    """The address of the Worker. Raises an OpsError if Cloudflare does not return it."""
    # Imported here, because the client of Cloudflare takes a second to import.
    from ops.adoption.lookups.cloudflare import Cloudflare  # noqa: PLC0415

    api = Cloudflare(cloudflare_token)
    zones = api.read(f"/zones?name={domain}")
    account = dig(zones[0], "account", "id") if isinstance(zones, list) and zones else None
    subdomain = dig(api.read(f"/accounts/{account}/workers/subdomain"), "subdomain") if account else None
    if not subdomain:
        raise OpsError(f"Cloudflare returned no zone {domain}, or no subdomain of workers.dev for its account")
    return f"https://{UPTIME_SCRIPT}.{subdomain}.workers.dev/"


def uptime_lines(url: str, status_token: str, now: datetime) -> Iterator[Line]:
    """All lines. Raises an OpsError if the Worker cannot be reached, which says nothing about the site."""
    try:
        response = requests.get(
            url,
            auth=bearer(status_token),
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise OpsError(f"the Worker at {url} cannot be reached ({type(error).__name__}); try again") from None
    if response.status_code != requests.codes.ok:
        yield problem("uptime", f"the Worker at {url} returned {response.status_code}: make preview shows its changes")
        return
    try:
        results = Results.model_validate_json(response.content)
    except ValidationError:
        yield problem("uptime", f"the Worker at {url} returned no results: make preview shows its changes")
        return
    yield from result_lines(results, now)


def result_lines(results: Results, now: datetime) -> Iterator[Line]:
    """One line if all URLs are up, and otherwise one for each that is not. One more if the last run is too old."""
    if results.checked is None:
        yield problem("uptime", "the Worker has not run yet: it runs once a minute")
        return
    ran = f"checked {age(results.checked, now)} ago"
    if now - results.checked > OVERDUE:
        yield problem("uptime", f"the Worker does not run, {ran}: its cron trigger is in Cloudflare's dashboard")
    others = [check for check in results.checks if check.state != "up"]
    for check in others:
        error = f": {check.lastError}" if check.lastError else ""
        yield problem("uptime", f"{check.name} is {check.state} for {age(check.since, now)}{error} ({check.url})")
    if not others:
        yield Line(subject="uptime", text=f"all {len(results.checks)} URLs are up, {ran}")
