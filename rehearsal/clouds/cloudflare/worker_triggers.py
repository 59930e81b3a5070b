"""When a script runs: its cron triggers, and its address below the account's subdomain of workers.dev.

https://developers.cloudflare.com/api/resources/workers/subresources/scripts/subresources/schedules/ and …/subdomain/.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from flask import request

from ..cloud import current
from ..store import Object
from ..vendor import Answer
from .answers import blueprint, now, refuse, result
from .worker_scripts import SCRIPT, WORKERS, check_account, find_script

SUBDOMAIN: Final = "honeydue-rehearsal"
NO_SUBDOMAIN: Final = "no_workers_subdomain"
"""A test stores an object in this collection to simulate an account that never opened the page Workers & Pages."""
_MAX_SCHEDULES: Final = 5
"""Of the whole account: https://developers.cloudflare.com/workers/platform/limits/#account-plan-limits"""


@blueprint.get(f"{WORKERS}/subdomain")
def get_account_subdomain(account_id: str) -> Answer:
    """The subdomain of the account, which its owner chooses once in the dashboard."""
    check_account(account_id)
    if current().of(NO_SUBDOMAIN):
        refuse(10007, "workers.api.error.subdomain_not_found", HTTPStatus.NOT_FOUND)
    return result({"subdomain": SUBDOMAIN})


@blueprint.get(f"{SCRIPT}/schedules")
def get_schedules(account_id: str, script_name: str) -> Answer:
    """The cron triggers of a script."""
    return result({"schedules": find_script(account_id, script_name)["schedules"]})


@blueprint.put(f"{SCRIPT}/schedules")
def edit_schedules(account_id: str, script_name: str) -> Answer:
    """Replaces the cron triggers of a script."""
    script = find_script(account_id, script_name)
    _require_subdomain()
    wanted = request.get_json(silent=True)
    if not isinstance(wanted, list) or not all(isinstance(item, dict) and item.get("cron") for item in wanted):
        refuse(10026, "a list of objects with the field cron was expected")
    others = [other for other in current().of("worker_scripts").values() if other is not script]
    if sum(len(other["schedules"]) for other in others) + len(wanted) > _MAX_SCHEDULES:
        refuse(10072, f"You have exceeded the limit of {_MAX_SCHEDULES} cron triggers")
    created = {item["cron"]: item["created_on"] for item in script["schedules"]}
    script["schedules"] = [
        {"cron": item["cron"], "created_on": created.get(item["cron"], now()), "modified_on": now()} for item in wanted
    ]
    return result({"schedules": script["schedules"]})


@blueprint.get(f"{SCRIPT}/subdomain")
def get_script_subdomain(account_id: str, script_name: str) -> Answer:
    """Whether a script has an address."""
    return result(_subdomain(find_script(account_id, script_name)))


@blueprint.post(f"{SCRIPT}/subdomain")
def edit_script_subdomain(account_id: str, script_name: str) -> Answer:
    """Gives a script an address, or takes it."""
    script = find_script(account_id, script_name)
    _require_subdomain()
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("enabled"), bool):
        refuse(10026, "enabled must be a boolean")
    script["subdomain"] = {**_subdomain(script), **body}
    return result(script["subdomain"])


@blueprint.delete(f"{SCRIPT}/subdomain")
def delete_script_subdomain(account_id: str, script_name: str) -> Answer:
    """Takes the address of a script."""
    script = find_script(account_id, script_name)
    script["subdomain"] = {}
    return result(_subdomain(script))


def _subdomain(script: Object) -> Object:
    return {"enabled": False, "previews_enabled": False, **script["subdomain"]}


def _require_subdomain() -> None:
    if current().of(NO_SUBDOMAIN):
        # https://github.com/cloudflare/terraform-provider-cloudflare/issues/3304
        refuse(10063, "workers.api.error.subdomain_required")
