"""Rulesets: a zone's or an account's rules for one phase of a request."""

from __future__ import annotations

from typing import Final

from ..kinds import ApiError, Cloud, Kind, Made, now
from ..values import Props
from . import rules
from .rules import api_error

_TYPE: Final = "cloudflare:index/ruleset:Ruleset"


def _admit(cloud: Cloud, id_: str | None, props: Props) -> None:
    if bool(props.get("zoneId")) == bool(props.get("accountId")):
        raise ApiError("exactly one of zone_id and account_id must be set")
    if props.get("zoneId"):
        rules.zone_name(cloud, props["zoneId"], "/rulesets")
    for key, live in cloud.of(_TYPE).items():
        alike = all(live.get(name) == props.get(name) for name in ("zoneId", "accountId", "phase"))
        if key != id_ and alike and live["kind"] == props["kind"] in ("zone", "root"):
            message = (
                "A similar configuration with rules already exists and overwriting will have unintended consequences."
            )
            raise api_error(20217, message, path=f"/zones/{props.get('zoneId')}/rulesets")


def _create(_: Cloud, _props: Props) -> Made:
    return Made(rules.new_id(), {"lastUpdated": now(), "version": "1"})


def _refresh(_cloud: Cloud, _id: str, _props: Props, old: Props) -> Props:
    return {"lastUpdated": now(), "version": str(int(old.get("version", "0")) + 1)}


KINDS: Final = (
    Kind(
        type=_TYPE,
        dialect="framework",
        create=_create,
        replaces=frozenset({"accountId", "kind", "phase", "zoneId"}),
        defaults={"description": "", "rules.enabled": True},
        computed=frozenset({"rules.id", "rules.ref"}),
        admit=_admit,
        refresh=_refresh,
        key=rules.last_part,
    ),
)
