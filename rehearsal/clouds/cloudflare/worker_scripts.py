"""Scripts of Workers (https://developers.cloudflare.com/api/resources/workers/subresources/scripts/), on the Free plan.

A script is stored and not run. Codes of refusals are those that users of the API report.
"""

from __future__ import annotations

import hashlib
import json
import re
from http import HTTPStatus
from typing import Final

from flask import Response, request

from ..cloud import current
from ..store import Object
from ..vendor import Answer
from .answers import blueprint, new_id, now, refuse, result
from .worker_migrations import applied, check_bindings
from .zones import ACCOUNT

WORKERS: Final = "/accounts/<account_id>/workers"
SCRIPT: Final = f"{WORKERS}/scripts/<script_name>"
_SECRET: Final = "secret_text"  # noqa: S105  # a type of binding
_HANDLERS: Final = ("fetch", "scheduled")


def check_account(account_id: str) -> None:
    """Refuses another account than that of the zones."""
    if account_id != ACCOUNT["id"]:
        refuse(7003, f"Could not route to {request.path}, perhaps your object identifier is invalid?", 404)


def find_script(account_id: str, script_name: str) -> Object:
    """The script with this name; refuses the request if there is none."""
    check_account(account_id)
    script = current().of("worker_scripts").get(script_name)
    if script is None:
        refuse(10007, "workers.api.error.script_not_found", HTTPStatus.NOT_FOUND)
    return script


@blueprint.put(SCRIPT)
def upload_script(account_id: str, script_name: str) -> Answer:
    """Creates or replaces a script: a multipart request with the part `metadata` and one for each module.

    The bindings are replaced, the schedule and the address stay.
    """
    check_account(account_id)
    metadata = _metadata()
    content = _module(str(metadata.get("main_module", "")))
    scripts = current().of("worker_scripts")
    old = scripts.get(script_name, {"created_on": now(), "namespaces": {}, "schedules": [], "subdomain": {}})
    migrated = applied(metadata.get("migrations"), old, content)
    bindings = metadata.get("bindings") or []
    check_bindings(bindings, migrated["namespaces"])
    scripts[script_name] = {
        **old,
        **migrated,
        "name": script_name,
        "content": content,
        "etag": hashlib.sha256(content.encode()).hexdigest(),
        "modified_on": now(),
        "bindings": bindings,
        **{
            name: metadata.get(name, default)
            for name, default in {
                "compatibility_date": "",
                "compatibility_flags": [],
                "logpush": False,
                "usage_model": "standard",
            }.items()
        },
    }
    return result({**_shown(scripts[script_name]), "startup_time_ms": 2})


@blueprint.get(f"{WORKERS}/services/<script_name>")
def get_service(account_id: str, script_name: str) -> Answer:
    """A script with its environment. The provider reads it, the API reference does not contain it."""
    script = _shown(find_script(account_id, script_name))
    return result({"id": script_name, "default_environment": {"environment": "production", "script": script}})


@blueprint.get(f"{SCRIPT}/settings")
def get_settings(account_id: str, script_name: str) -> Answer:
    """The bindings, without the text of secrets, and the other settings of a script."""
    script = find_script(account_id, script_name)
    bindings = [_without_secret(binding, script["namespaces"]) for binding in script["bindings"]]
    names = ("compatibility_date", "compatibility_flags", "logpush", "usage_model")
    settings = {name: script[name] for name in names}
    return result({**settings, "bindings": bindings, "placement": {}, "tags": [], "tail_consumers": []})


@blueprint.get(f"{SCRIPT}/content/v2")
def get_content(account_id: str, script_name: str) -> Response:
    """The script itself, as a multipart body."""
    script = find_script(account_id, script_name)
    boundary, name = new_id(), script.get("main_module", "worker.js")
    part = f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\nContent-Type: text/javascript'
    body = f"--{boundary}\r\n{part}\r\n\r\n{script['content']}\r\n--{boundary}--\r\n"
    return Response(body, content_type=f"multipart/form-data; boundary={boundary}")


@blueprint.delete(SCRIPT)
def delete_script(account_id: str, script_name: str) -> Answer:
    """Deletes a script with its schedule and its address, and with `force` also its Durable Objects."""
    if find_script(account_id, script_name)["namespaces"] and request.args.get("force") != "true":
        # https://github.com/cloudflare/terraform-provider-cloudflare/issues/5634; the code is not documented.
        refuse(10064, f"Durable Object namespaces depend on script {script_name}")
    del current().of("worker_scripts")[script_name]
    return result(None)


def _metadata() -> Object:
    try:
        metadata = json.loads(request.form.get("metadata", ""))
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict):
        refuse(10021, "The multipart part metadata must be a JSON object")
    return metadata


def _module(name: str) -> str:
    file = request.files.get(name)
    if file is None:
        refuse(10021, f"No such module: {name}")
    return bytes(file.read()).decode()


def _shown(script: Object) -> Object:
    content = str(script["content"])
    return {
        "id": script["name"],
        "etag": script["etag"],
        "handlers": [name for name in _HANDLERS if re.search(rf"\b{name}\b", content)],
        "has_assets": False,
        "has_modules": True,
        "last_deployed_from": "api",
        "created_on": script["created_on"],
        "modified_on": script["modified_on"],
        "usage_model": script["usage_model"],
        "compatibility_date": script["compatibility_date"],
        **({"migration_tag": tag} if (tag := script.get("migration_tag")) else {}),
    }


def _without_secret(binding: Object, namespaces: Object) -> Object:
    shown = {name: value for name, value in binding.items() if name != "text" or binding["type"] != _SECRET}
    if (class_name := binding.get("class_name")) in namespaces:
        shown["namespace_id"] = namespaces[class_name]
    return shown
