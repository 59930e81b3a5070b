"""Rulesets of a zone or an account."""

from __future__ import annotations

from typing import Final

from ..client import ApiError, Client
from ..kinds import Created, Kind
from ..values import Props
from .names import properties, snake

_BODY: Final = ("description", "kind", "name", "phase", "rules")


def _create(client: Client, props: Props) -> Created:
    ruleset = client.post(f"{_owner(props)}/rulesets", _body(props))
    return Created(ruleset["id"], properties(ruleset, without=props))


def _read(client: Client, id_: str, state: Props) -> Created | None:
    # An import id is `zones/ZONE/RULESET` or `accounts/ACCOUNT/RULESET`.
    owner, _, ruleset_id = id_.rpartition("/")
    ruleset = client.find(f"{owner or _owner(state)}/rulesets/{ruleset_id}")
    if ruleset is None:
        return None
    scope, _, owner_id = owner.partition("/")
    imported = {"zoneId" if scope == "zones" else "accountId": owner_id} if owner else {}
    preserved: Props = {name: state[name] for name in ("zoneId", "accountId") if name in state}
    rules = [_rule(rule) for rule in ruleset["rules"]]
    return Created(ruleset_id, {**properties({**ruleset, "rules": rules}), **preserved, **imported})


def _update(client: Client, id_: str, _: Props, new: Props) -> Props:
    return properties(client.put(f"{_owner(new)}/rulesets/{id_}", _body(new)), without=new)


def _delete(client: Client, id_: str, old: Props) -> None:
    client.delete(f"{_owner(old)}/rulesets/{id_}", missing_ok=False)


def _owner(props: Props) -> str:
    zone, account = props.get("zoneId"), props.get("accountId")
    if bool(zone) == bool(account):
        raise ApiError("exactly one of zone_id and account_id must be set")
    return f"zones/{zone}" if zone else f"accounts/{account}"


def _rule(live: Props) -> Props:
    """A rule without what the API chose: its id and version, and the reference if it is the id."""
    chosen = {"id", "version", "last_updated", *(["ref"] if live["ref"] == live["id"] else [])}
    return {name: value for name, value in live.items() if name not in chosen}


def _body(props: Props) -> Props:
    body: Props = snake({name: props[name] for name in _BODY if name in props})
    return body


KINDS: Final = (
    Kind(
        type="cloudflare:index/ruleset:Ruleset",
        dialect="framework",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"accountId", "kind", "name", "phase", "zoneId"}),
        defaults={"description": "", "rules.enabled": True},
        computed=frozenset({"rules.id", "rules.ref"}),
        recomputed=frozenset({"lastUpdated", "version"}),
    ),
)
