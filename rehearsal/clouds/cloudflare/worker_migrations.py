"""Classes of Durable Objects: a migration creates their namespaces, a binding refers to one.

https://developers.cloudflare.com/durable-objects/reference/durable-object-class-migrations-legacy/. Of the migrations
only the creation of a class is simulated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from ..store import Json, Object
from .answers import new_id, refuse


def applied(migrations: Json, script: Object, content: str) -> Object:
    """The migration tag and the namespaces of a script after an upload; refuses the upload."""
    namespaces: Object = dict(script["namespaces"])
    tag = script.get("migration_tag", "")
    if migrations:
        if (expected := migrations.get("old_tag", "")) != tag:
            # https://github.com/pulumi/pulumi-cloudflare/issues/1215
            refuse(
                10079,
                f"Actor migration tag precondition failed, got tag '{expected}' when expected tag is '{tag}'. "
                "Please make sure the tags match and try again.",
                HTTPStatus.PRECONDITION_FAILED,
            )
        if migrations.get("new_classes"):
            # https://github.com/cloudflare/templates/issues/459
            refuse(
                10097,
                "In order to use Durable Objects with a free plan, you must create a namespace using a "
                "`new_sqlite_classes` migration.",
            )
        tag = migrations.get("new_tag", tag)
        for name in migrations.get("new_sqlite_classes") or ():
            if name in namespaces:
                refuse(
                    10074,
                    f"Cannot apply new-sqlite-class migration to class '{name}' that is already depended on "
                    "by existing Durable Objects",
                )
            namespaces[name] = new_id()
    for name in namespaces:
        if not re.search(rf"\bexport\s+class\s+{re.escape(name)}\b", content):
            # https://github.com/cloudflare/wrangler-legacy/pull/1781
            refuse(
                10064,
                f"new version of script does not implement class {name} which is depended on by Durable "
                f"Object namespace {name}",
            )
    return {"namespaces": namespaces, "migration_tag": tag}


def check_bindings(bindings: Sequence[Object], namespaces: Mapping[str, Json]) -> None:
    """Refuses a binding to a class that no migration created."""
    for binding in bindings:
        if binding.get("type") == "durable_object_namespace" and binding.get("class_name") not in namespaces:
            # https://github.com/cloudflare/terraform-provider-cloudflare/issues/5898
            refuse(
                10061,
                f"Cannot create binding for class '{binding.get('class_name')}' because it is not currently "
                "configured to implement Durable Objects. Did you forget to apply a --new-class migration to it?",
            )
