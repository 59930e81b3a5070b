"""Rulesets of a zone or an account (https://developers.cloudflare.com/api/resources/rulesets/).

Each phase of a zone has at most one entry point: the ruleset of kind `zone` (`root` in an account) that runs in it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Never

from flask import Response

from ..cloud import current
from ..store import Json, Object
from ..vendor import Answer
from .answers import blueprint, body, new_id, now, refuse, result
from .zones import ACCOUNT, find_zone

_ZONE: Final = "/zones/<owner>/rulesets"
_ACCOUNT: Final = "/accounts/<owner>/rulesets"
_ENTRY_POINTS: Final = ("zone", "root")
_RULE_INPUTS: Final = ("action", "action_parameters", "expression", "description", "enabled", "ratelimit", "logging")


@blueprint.get(_ZONE)
@blueprint.get(_ACCOUNT)
def list_rulesets(owner: str) -> Answer:
    """The rulesets, without their rules."""
    rulesets = _rulesets(owner).values()
    return result(
        [{name: value for name, value in ruleset.items() if name != "rules"} for ruleset in map(_shown, rulesets)]
    )


@blueprint.post(_ZONE)
@blueprint.post(_ACCOUNT)
def create_ruleset(owner: str) -> Answer:
    """A new ruleset."""
    inputs = body("name", "kind", "phase")
    if inputs["kind"] in _ENTRY_POINTS and _entry_point(owner, inputs["phase"]) is not None:
        # https://github.com/cloudflare/terraform-provider-cloudflare/pull/2566
        problem = "A similar configuration with rules already exists and overwriting will have unintended consequences."
        refuse(20217, problem)
    return _saved(owner, {"id": new_id(), "version": "0", "kind": inputs["kind"], "phase": inputs["phase"]}, inputs)


@blueprint.get(f"{_ZONE}/<ruleset_id>")
@blueprint.get(f"{_ACCOUNT}/<ruleset_id>")
def get_ruleset(owner: str, ruleset_id: str) -> Answer:
    """One ruleset."""
    return result(_shown(_find(owner, ruleset_id)))


@blueprint.put(f"{_ZONE}/<ruleset_id>")
@blueprint.put(f"{_ACCOUNT}/<ruleset_id>")
def overwrite_ruleset(owner: str, ruleset_id: str) -> Answer:
    """A new version of a ruleset."""
    return _saved(owner, _find(owner, ruleset_id), body())


@blueprint.delete(f"{_ZONE}/<ruleset_id>")
@blueprint.delete(f"{_ACCOUNT}/<ruleset_id>")
def delete_ruleset(owner: str, ruleset_id: str) -> Response:
    """Deletes a ruleset."""
    _find(owner, ruleset_id)
    del current().of("rulesets")[ruleset_id]
    return Response(status=HTTPStatus.NO_CONTENT)


@blueprint.get(f"{_ZONE}/phases/<phase>/entrypoint")
@blueprint.get(f"{_ACCOUNT}/phases/<phase>/entrypoint")
def get_entry_point(owner: str, phase: str) -> Answer:
    """The entry point of a phase."""
    return result(_shown(_entry_point(owner, phase) or _no_entry_point(phase)))


@blueprint.put(f"{_ZONE}/phases/<phase>/entrypoint")
def overwrite_entry_point(owner: str, phase: str) -> Answer:
    """A new version of a phase's entry point; the first one creates it."""
    created = {"id": new_id(), "version": "0", "kind": "zone", "phase": phase, "name": "default"}
    return _saved(owner, _entry_point(owner, phase) or created, body())


def _rulesets(owner: str) -> dict[str, Object]:
    if owner != ACCOUNT["id"]:
        find_zone(owner)
    rulesets = current().of("rulesets")
    return {id_: ruleset for id_, ruleset in rulesets.items() if ruleset["owner"] == owner}


def _entry_point(owner: str, phase: str) -> Object | None:
    rulesets = _rulesets(owner).values()
    return next(
        (ruleset for ruleset in rulesets if (ruleset["phase"] == phase and ruleset["kind"] in _ENTRY_POINTS)), None
    )


def _find(owner: str, ruleset_id: str) -> Object:
    return _rulesets(owner).get(ruleset_id) or _unknown_ruleset(ruleset_id)


def _unknown_ruleset(ruleset_id: str) -> Never:
    refuse(10000, f"could not find ruleset {ruleset_id}", HTTPStatus.NOT_FOUND)


def _no_entry_point(phase: str) -> Never:
    refuse(10003, f"could not find entrypoint ruleset in the {phase} phase", HTTPStatus.NOT_FOUND)


def _shown(ruleset: Object) -> Object:
    return {name: value for name, value in ruleset.items() if name != "owner"}


def _saved(owner: str, old: Object, inputs: Object) -> Answer:
    _rulesets(owner)
    version, time = str(int(old["version"]) + 1), now()
    ruleset = {
        **old,
        "owner": owner,
        "name": inputs.get("name", old.get("name", "")),
        "description": inputs.get("description", ""),
        "version": version,
        "last_updated": time,
        "rules": [_rule(rule, version, time) for rule in inputs.get("rules") or ()],
    }
    current().of("rulesets")[ruleset["id"]] = ruleset
    return result(_shown(ruleset))


def _rule(inputs: Json, version: str, time: str) -> Object:
    id_ = inputs.get("id") or new_id()
    values = {name: inputs[name] for name in _RULE_INPUTS if name in inputs}
    return {
        "id": id_,
        "version": version,
        "enabled": True,
        **values,
        "ref": inputs.get("ref", id_),
        "last_updated": time,
    }
