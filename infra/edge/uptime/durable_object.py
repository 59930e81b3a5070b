"""The hook that creates the class of the Durable Object, before the provider uploads the script that binds it.

Cloudflare applies a migration once: it refuses a later upload with the same one. The provider sends the migrations of a
script with every upload (`Update` in internal/services/workers_script/resource.go of terraform-provider-cloudflare), so
that no change of the script would succeed (https://github.com/pulumi/pulumi-cloudflare/issues/1215). The program
therefore declares none.
"""

import json
import os
from collections.abc import Mapping
from http import HTTPStatus

import pulumi

from infra.bearer import bearer
from infra.threads import in_thread

STATE_CLASS = "UptimeState"
CLASS_HOOK = "uptime-class"
MIGRATION_TAG = "v1"
API = "https://api.cloudflare.com/client/v4"
ENDPOINT = "CLOUDFLARE_BASE_URL"
"""The environment variable with which Cloudflare's own clients, the provider included, select another endpoint."""
TIMEOUT_SECONDS = 30.0
APPLIED_BEFORE = 10079
"""Cloudflare's code when the script has a migration tag already: an earlier `up` failed after this hook."""


class RefusedClassError(Exception):
    """Why the class was not created. The engine prints the message."""


def class_hooks(token: pulumi.Output[str]) -> pulumi.ResourceHookBinding:
    """The hook of the script. It runs only before the script is created, and not in a preview."""

    async def before_create(resource: pulumi.ResourceHookArgs) -> None:
        await in_thread(create_class, resource.new_inputs or {}, await token.future() or "")

    return pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook(CLASS_HOOK, before_create)])


def create_class(inputs: Mapping[str, object], token: str) -> None:
    """Uploads the script with the migration and without bindings. `inputs` are those of the provider.

    Raises a RefusedClassError.
    """
    # Imported here, because hardly any run creates the script.
    import requests  # noqa: PLC0415

    module = str(inputs["mainModule"])
    metadata = {
        "main_module": module,
        "compatibility_date": inputs["compatibilityDate"],
        "compatibility_flags": inputs["compatibilityFlags"],
        # SQLite, because the Free plan has no other storage.
        "migrations": {"new_tag": MIGRATION_TAG, "new_sqlite_classes": [STATE_CLASS]},
    }
    try:
        response = requests.put(
            f"{os.environ.get(ENDPOINT) or API}/accounts/{inputs['accountId']}/workers/scripts/{inputs['scriptName']}",
            auth=bearer(token),
            files={
                "metadata": (None, json.dumps(metadata), "application/json"),
                module: (module, str(inputs["content"]), "application/javascript+module"),
            },
            timeout=TIMEOUT_SECONDS,
        )
    except requests.RequestException as error:
        raise RefusedClassError(f"the uptime Worker was not created: {type(error).__name__}. Try again") from None
    if response.status_code != HTTPStatus.OK and APPLIED_BEFORE not in (errors := _errors(response.text)):
        described = [str(response.status_code), *(f"{message} ({code})" for code, message in errors.items())]
        raise RefusedClassError(f"the uptime Worker was not created: Cloudflare returned {', '.join(described)}")


def _errors(text: str) -> Mapping[int, str]:
    """The messages of a response of Cloudflare by their code. Empty if it has another format."""
    try:
        return {int(error["code"]): str(error["message"]) for error in json.loads(text)["errors"]}
    except (ValueError, KeyError, TypeError):
        return {}
