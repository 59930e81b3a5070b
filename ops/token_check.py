"""Checks whether the tokens of the settings may do what an `up` does, before anything changes.

Neither vendor returns the rights of a token to the token itself. (Cloudflare requires the permission API Tokens: Read
for that.) The check sends one change for each right, which the vendor refuses in any case: as forbidden if the token
lacks the right, and otherwise because the object does not exist or the value is invalid.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cloudflare
import hcloud
from pydantic import JsonValue

from infra import hetzner
from infra.settings.messages import PROJECT
from infra.settings.secrets import SECRETS
from ops.adoption.lookups.cloudflare import API, ENDPOINT
from ops.engine.stack import Settings
from ops.json_paths import dig
from ops.permissions import CERTIFICATES, DNS, EDIT, READ, UP, UPTIME, WORKER_SCRIPTS, ZONE, ZONE_SETTINGS

TIMEOUT_SECONDS = 10.0
NO_OBJECT = "0" * 32
"""An id of Cloudflare that no object has."""
REFUSED_CHANGES: Mapping[str, Callable[[cloudflare.Cloudflare, str], object]] = {
    DNS: lambda client, zone: client.patch(f"/zones/{zone}/dns_records/{NO_OBJECT}", body={}, cast_to=object),
    ZONE_SETTINGS: lambda client, zone: client.patch(f"/zones/{zone}/settings/ssl", body={"value": ""}, cast_to=object),
    CERTIFICATES: lambda client, zone: client.post(f"/zones/{zone}/origin_tls_client_auth", body={}, cast_to=object),
}
"""A change that Cloudflare refuses, for each group that an `up` edits in the zone."""
REFUSED_CHANGES_OF_ACCOUNT: Mapping[str, Callable[[cloudflare.Cloudflare, str], object]] = {
    WORKER_SCRIPTS: lambda client, account: client.put(
        f"/accounts/{account}/workers/scripts/{NO_OBJECT}/schedules", body=[], cast_to=object
    ),
}
"""The same for each group of the account that an `up` edits with `honeydue:uptime`."""
REJECTED = (cloudflare.BadRequestError, cloudflare.AuthenticationError, cloudflare.PermissionDeniedError)


@dataclass(frozen=True, kw_only=True)
class TokenErrors:
    """What the tokens may not do, in one line each.

    Attributes:
        rejected: a token that cannot be used at all, not even for a preview.
        cannot_change: rights that only an `up` needs.
    """

    rejected: Sequence[str] = field(default_factory=list)
    cannot_change: Sequence[str] = field(default_factory=list)


def check_tokens(settings: Settings) -> TokenErrors:
    """Check both tokens. An API that cannot be reached is no error here, and neither is a setting that is missing."""
    rejected: list[str] = []
    cannot_change: list[str] = []
    domain, cloudflare_token, hetzner_token = map(settings.get, ("domain", "cloudflareToken", "hetznerToken"))
    if isinstance(hetzner_token, str) and hetzner_token:
        _check_hetzner(hetzner_token, rejected, cannot_change)
    if isinstance(cloudflare_token, str) and isinstance(domain, str) and cloudflare_token:
        uptime = bool(settings.get("uptime"))
        _check_cloudflare(cloudflare_token, domain, rejected, cannot_change, uptime=uptime)
    return TokenErrors(rejected=rejected, cannot_change=cannot_change)


def _check_hetzner(token: str, rejected: list[str], cannot_change: list[str]) -> None:
    try:
        hetzner.client(token).ssh_keys.create(name="", public_key="")
    except hcloud.APIException as error:
        if error.code == "token_readonly":
            cannot_change.append(_message("hetznerToken", "may only read", "Create a token with Read & Write"))
        elif error.code in ("unauthorized", "forbidden"):
            rejected.append(
                _message(
                    "hetznerToken", f"is rejected by Hetzner ({error.message})", "Create a token with Read & Write"
                )
            )
    except hetzner.ERRORS:
        pass


def _check_cloudflare(token: str, domain: str, rejected: list[str], cannot_change: list[str], *, uptime: bool) -> None:
    client = cloudflare.Cloudflare(
        api_token=token, base_url=os.environ.get(ENDPOINT, API), timeout=TIMEOUT_SECONDS, max_retries=0
    )
    groups = {**UP, **(UPTIME if uptime else {})}
    needed = "The token needs " + ", ".join(f"{group}: {level}" for group, level in groups.items())
    try:
        zone = _zone(client, domain)
        if zone is None:
            rejected.append(
                _message(
                    "cloudflareToken",
                    f"lacks {ZONE}: {READ} for zone {domain}, or the zone is not one of its zone resources",
                    needed,
                )
            )
            return
        if missing := list(_missing_groups(REFUSED_CHANGES, client, str(dig(zone, "id")))):
            rights = ", ".join(f"{group}: {EDIT}" for group in missing)
            cannot_change.append(_message("cloudflareToken", f"lacks {rights} for zone {domain}", needed))
        if uptime:
            account = str(dig(zone, "account", "id"))
            cannot_change += _account_errors(client, account, str(dig(zone, "account", "name")), needed)
    except REJECTED as error:
        rejected.append(_message("cloudflareToken", _rejection(client, error), needed))
    except cloudflare.APIError:
        pass


def _account_errors(client: cloudflare.Cloudflare, account: str, name: str, needed: str) -> Iterator[str]:
    """What the uptime Worker lacks in the account: a right of the token, or the subdomain of all Workers."""
    if missing := list(_missing_groups(REFUSED_CHANGES_OF_ACCOUNT, client, account)):
        rights = ", ".join(f"{group}: {EDIT}" for group in missing)
        lacks = f"lacks {rights} for account {name}, which {PROJECT}:uptime needs"
        yield _message(
            "cloudflareToken", lacks, f"{needed}. Add it, or remove the Worker: pulumi config rm {PROJECT}:uptime"
        )
        return
    try:
        client.get(f"/accounts/{account}/workers/subdomain", cast_to=object)
    except cloudflare.NotFoundError:
        yield (
            f"{PROJECT}:uptime needs a subdomain of workers.dev, which account {name} does not have: open "
            f"https://dash.cloudflare.com/{account}/workers-and-pages once, which creates it (docs/uptime.md)"
        )


def _zone(client: cloudflare.Cloudflare, domain: str) -> JsonValue:
    """The zone. The list contains only the zones that the token may read."""
    zones = dig(client.get(f"/zones?name={domain}", cast_to=object), "result")  # type: ignore[arg-type]  # it is JSON
    return zones[0] if isinstance(zones, list) and zones else None


def _missing_groups(
    changes: Mapping[str, Callable[[cloudflare.Cloudflare, str], object]], client: cloudflare.Cloudflare, owner: str
) -> Iterator[str]:
    """The groups that the token lacks. `owner` is the id of the zone or the account."""
    for group, change in changes.items():
        try:
            change(client, owner)
        except (cloudflare.AuthenticationError, cloudflare.PermissionDeniedError):
            yield group
        except cloudflare.APIStatusError:
            continue


def _rejection(client: cloudflare.Cloudflare, error: cloudflare.APIStatusError) -> str:
    """Why Cloudflare refuses to list the zones: the token is invalid, or valid and without the permission."""
    try:
        # Cloudflare verifies the tokens of a user at this path, and no tokens of an account.
        status = dig(client.get("/user/tokens/verify", cast_to=object), "result", "status")  # type: ignore[arg-type]
    except cloudflare.APIError:
        messages = ", ".join(detail.message for detail in error.errors or () if detail.message) or error.message
        return f"is rejected by Cloudflare ({messages})"
    return f"lacks {ZONE}: {READ}" if status == "active" else f"is {status}"


def _message(key: str, problem: str, fix: str) -> str:
    return f"{PROJECT}:{key} {problem}. {fix} (docs/runbook.md#rotate-a-secret): {SECRETS[key].command}"
