"""Manual changes in the consoles of Hetzner and Cloudflare that no plan contains."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudflare import Cloudflare

from rehearsal.clouds import console
from rehearsal.clouds.account import read_account, write_account

SERVER, RECORD = "ubuntu-8gb-nbg1-3", "app.myhoneydue.com"
PAGE_RULE, ROUTE, PHASE = "admin.myhoneydue.com/*", "*.myhoneydue.com/*", "http_request_origin"
DASHBOARD = ("Zone:Edit", "Page Rules:Edit", "Workers Routes:Edit", "Origin Rules:Edit")
"""Permissions of the dashboard that the program's token does not have."""

KEPT: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Server::hetzner3", "backups"): ("-", "true"),
    ("Server::hetzner3", "labels.by"): ("-", "hand"),
    ("DnsRecord::app-hetzner1", "comment"): ("-", "by hand"),
}
"""Rows of choices that `up` keeps."""
UNDECLARED: Mapping[tuple[str, str], tuple[str, str]] = {
    (f"PageRule {PAGE_RULE}", ""): ("not in the stack", "{ssl: flexible}"),
    (f"WorkerRoute {ROUTE}", "script"): ("not in the stack", "proxy"),
    (f"Ruleset {PHASE}", "rules[by hand]"): ("not in the stack", "route if true"),
    ("ZoneSetting security_level", "value"): ("not in the stack", "essentially_off"),
    ("Zone myhoneydue.com", "paused"): ("false", "true"),
}
"""Rows of what `up` does not change."""


def _record_id(cloudflare: Cloudflare, zone: str, name: str, content: str) -> str:
    (record,) = (
        record
        for record in cloudflare.dns.records.list(zone_id=zone)
        if (record.name, record.content) == (name, content)
    )
    return record.id


def stop_proxying(clouds: Path) -> None:
    """Changes a record of api so that it shows the address of its node."""
    cloudflare, zone = console.cloudflare_client(clouds), console.zone_id(clouds)
    name, content = "api.myhoneydue.com", "178.105.32.198"
    cloudflare.dns.records.edit(
        _record_id(cloudflare, zone, name, content),
        zone_id=zone,
        name=name,
        type="A",
        content=content,
        ttl=1,
        proxied=False,
    )


def make_choices(clouds: Path) -> None:
    """Makes the changes of KEPT."""
    hetzner, cloudflare, zone = console.hetzner(clouds), console.cloudflare_client(clouds), console.zone_id(clouds)
    server = hetzner.servers.get_by_name(SERVER)
    assert server is not None
    server.enable_backup().wait_until_finished()
    server.update(labels={**(server.labels or {}), "by": "hand"})
    record = _record_id(cloudflare, zone, RECORD, "178.104.247.152")
    cloudflare.patch(f"/zones/{zone}/dns_records/{record}", body={"comment": "by hand"}, cast_to=object)


def change_zone(clouds: Path) -> None:
    """Makes the changes of UNDECLARED."""
    target = {"target": "url", "constraint": {"operator": "matches", "value": PAGE_RULE}}
    action = {"id": "ssl", "value": "flexible"}
    rule = {"action": "route", "expression": "true", "description": "by hand"}
    with dashboard(clouds) as (client, zone):
        send(client, "post", f"{zone}/pagerules", targets=[target], actions=[action], status="active")
        send(client, "post", f"{zone}/workers/routes", pattern=ROUTE, script="proxy")
        send(client, "put", f"{zone}/rulesets/phases/{PHASE}/entrypoint", rules=[rule])
        send(client, "patch", f"{zone}/settings/security_level", value="essentially_off")
        send(client, "patch", zone, paused=True)


def revert_zone(clouds: Path) -> None:
    """Reverts the changes of UNDECLARED."""
    with dashboard(clouds) as (client, zone):
        for path in ("pagerules", "workers/routes"):
            listed: Any = client.get(f"{zone}/{path}", cast_to=object)
            for item in listed["result"]:
                client.delete(f"{zone}/{path}/{item['id']}", cast_to=object)
        send(client, "put", f"{zone}/rulesets/phases/{PHASE}/entrypoint", rules=[])
        send(client, "patch", f"{zone}/settings/security_level", value="medium")
        send(client, "patch", zone, paused=False)


def send(client: Cloudflare, method: str, path: str, **body: object) -> None:
    getattr(client, method)(path, body=body, cast_to=object)


@contextmanager
def dashboard(clouds: Path) -> Iterator[tuple[Cloudflare, str]]:
    """A client with the permissions of the dashboard for the duration of the block, and the path of the zone."""
    account = read_account(clouds)
    tokens = [replace(token, rights=[*token.rights, *DASHBOARD]) for token in account.tokens]
    write_account(clouds, replace(account, tokens=tokens))
    yield console.cloudflare_client(clouds), f"/zones/{console.zone_id(clouds)}"
    write_account(clouds, account)
