"""Workers: scripts, their cron triggers and their address below workers.dev."""

from __future__ import annotations

import json
from typing import Final

from ..client import ApiError, Client
from ..kinds import Created, Kind
from ..values import Props, Value
from .names import properties, snake

_METADATA: Final = (
    *("bindings", "compatibilityDate", "compatibilityFlags", "logpush", "mainModule", "migrations", "usageModel"),
)
_SECRET: Final = "secret_text"  # noqa: S105  # a type of binding


def _path(props: Props, script: str) -> str:
    if not props.get("accountId"):
        raise ApiError("failed to make http request: missing required account_id parameter")
    return f"accounts/{props['accountId']}/workers/scripts/{script}"


def _identified(id_: str, state: Props) -> tuple[Props, str]:
    """The account and the name of a script, from the state or from an import id such as `account/script`."""
    account, _, name = id_.rpartition("/")
    return {"accountId": account or state.get("accountId"), "scriptName": name}, name


def _create_script(client: Client, props: Props) -> Created:
    return Created(props["scriptName"], _uploaded(client, props))


def _update_script(client: Client, _: str, _old: Props, new: Props) -> Props:
    return _uploaded(client, new)


def _uploaded(client: Client, props: Props) -> Props:
    """Uploads the script with everything that the program declares, the migrations included."""
    metadata: Props = snake({name: props[name] for name in _METADATA if props.get(name) is not None})
    metadata["bindings"] = [_sent(binding) for binding in metadata.get("bindings", ())]
    module = props["mainModule"]
    script = client.put_files(
        _path(props, props["scriptName"]),
        {
            "metadata": (None, json.dumps(metadata), "application/json"),
            module: (module, props["content"], "application/javascript+module"),
        },
    )
    return properties(script, without=props)


def _sent(binding: Props) -> Props:
    # The program passes JSON as text, and the API expects the value.
    return {**binding, "json": json.loads(binding["json"])} if "json" in binding else binding


def _read_script(client: Client, id_: str, state: Props) -> Created | None:
    identity, name = _identified(id_, state)
    service = client.find(f"accounts/{identity['accountId']}/workers/services/{name}")
    if service is None:
        return None
    path = _path(identity, name)
    settings = client.get(f"{path}/settings")
    live = {
        **properties(service["default_environment"]["script"]),
        **{name: value for name, value in properties(settings).items() if name not in ("bindings", "placement")},
        "content": client.get_part(f"{path}/content/v2"),
        "bindings": _bindings(settings["bindings"], state.get("bindings", [])),
        **identity,
    }
    # The API does not return these.
    preserved: Props = {name: state[name] for name in ("mainModule", "migrations", "force") if name in state}
    return Created(name, {**live, **preserved})


def _bindings(live: list[Props], state: list[Props]) -> list[Props]:
    """`UpdateSecretTextsFromState` in custom.go of the real plugin.

    It keeps the bindings of the state, without secrets that were deleted, and appends other bindings without a secret.
    It does not compare the value of a binding.
    """
    existing = {(binding["type"], binding["name"]) for binding in live}
    known = {(binding["type"], binding["name"]) for binding in state}
    kept = [
        binding for binding in state if binding["type"] != _SECRET or (binding["type"], binding["name"]) in existing
    ]
    return kept + [
        {**binding, "json": json.dumps(binding["json"])} if "json" in binding else binding
        for binding in live
        if binding["type"] != _SECRET and (binding["type"], binding["name"]) not in known
    ]


def _delete_script(client: Client, id_: str, old: Props) -> None:
    force = "?force=true" if old.get("force") else ""
    client.delete(f"{_path(old, id_)}{force}", missing_ok=False)


def _create_schedules(client: Client, props: Props) -> Created:
    return Created(props["scriptName"], _update_schedules(client, "", {}, props))


def _update_schedules(client: Client, _: str, _old: Props, new: Props) -> Props:
    client.put(f"{_path(new, new['scriptName'])}/schedules", new["schedules"])
    return {}


def _read_schedules(client: Client, id_: str, state: Props) -> Created | None:
    identity, name = _identified(id_, state)
    schedules = client.find(f"{_path(identity, name)}/schedules")
    if schedules is None:
        return None
    # The real plugin does not refresh them (`no_refresh` in its model.go).
    return Created(name, {**identity, "schedules": state.get("schedules") or properties(schedules)["schedules"]})


def _create_subdomain(client: Client, props: Props) -> Created:
    return Created(props["scriptName"], _update_subdomain(client, "", {}, props))


def _update_subdomain(client: Client, _: str, _old: Props, new: Props) -> Props:
    body: Props = snake({name: new[name] for name in ("enabled", "previewsEnabled") if name in new})
    return properties(client.post(f"{_path(new, new['scriptName'])}/subdomain", body), without=new)


def _read_subdomain(client: Client, id_: str, state: Props) -> Created | None:
    identity, name = _identified(id_, state)
    subdomain = client.find(f"{_path(identity, name)}/subdomain")
    return Created(name, {**properties(subdomain), **identity}) if subdomain else None


def _same_json(text: Value) -> Value:
    return json.loads(text) if isinstance(text, str) else text


KINDS: Final = (
    Kind(
        type="cloudflare:index/workersScript:WorkersScript",
        dialect="framework",
        create=_create_script,
        read=_read_script,
        update=_update_script,
        delete=_delete_script,
        replaces=frozenset({"accountId", "scriptName"}),
        sets=frozenset({"compatibilityFlags"}),
        defaults={"logpush": False, "usageModel": "standard", "compatibilityDate": ""},
        computed=frozenset({"annotations", "bindings", "compatibilityFlags", "placement", "tailConsumers"}),
        canonical={"bindings.json": _same_json},
        recomputed=frozenset(
            {
                *("etag", "handlers", "hasAssets", "hasModules", "lastDeployedFrom", "migrationTag", "modifiedOn"),
                *("namedHandlers", "placementMode", "placementStatus", "startupTimeMs"),
            }
        ),
    ),
    Kind(
        type="cloudflare:index/workersCronTrigger:WorkersCronTrigger",
        dialect="framework",
        create=_create_schedules,
        read=_read_schedules,
        update=_update_schedules,
        # Deleting the resource sends no request: the schedule is deleted with the script.
        replaces=frozenset({"accountId", "scriptName"}),
        computed=frozenset({"schedules.createdOn", "schedules.modifiedOn"}),
    ),
    Kind(
        type="cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain",
        dialect="framework",
        create=_create_subdomain,
        read=_read_subdomain,
        update=_update_subdomain,
        delete=lambda client, id_, old: client.delete(f"{_path(old, id_)}/subdomain", missing_ok=False),
        replaces=frozenset({"accountId", "scriptName"}),
        computed=frozenset({"previewsEnabled"}),
    ),
)
