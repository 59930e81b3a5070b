"""Finds the variables of OpenTelemetry that run already and that a plan changes or removes.

Dashboards and stored traces know the apps by them: another service name is another service.
"""

from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from infra.settings.traces import CREDENTIALS
from ops.json_paths import dig
from ops.plan import short_name

PREFIX = "OTEL_"


def changed_variables(events: Iterable[JsonValue]) -> Iterator[str]:
    """One line for each variable, from the events of a preview: "Deployment::api: OTEL_SERVICE_NAME is honeydue-api".

    The lines of Secrets, and of values that may contain a password, have no value.
    """
    for event in events:
        step = dig(event, "resOutputsEvent", "metadata")
        if not isinstance(step, Mapping) or step.get("op") != "update":
            continue
        old, new = (dict(_variables(dig(step, state, "outputs"))) for state in ("old", "new"))
        for name, value in sorted(old.items()):
            if new.get(name) != value:
                # A URL may have a user before its host.
                shown = f" is {value}" if value and name not in CREDENTIALS and "@" not in value else ""
                yield f"{short_name(str(step['urn']))}: {name}{shown}"


def _variables(manifest: JsonValue) -> Iterator[tuple[str, str]]:
    """The variables of OpenTelemetry of an object. Those of a Secret have no value."""
    kind, data = dig(manifest, "kind"), dig(manifest, "data")
    if kind in ("ConfigMap", "Secret") and isinstance(data, Mapping):
        yield from ((key, str(value) if kind == "ConfigMap" else "") for key, value in data.items() if _matches(key))
    containers = dig(manifest, "spec", "template", "spec", "containers")
    for container in containers if isinstance(containers, list) else ():
        variables = dig(container, "env")
        for variable in variables if isinstance(variables, list) else ():
            name = dig(variable, "name")
            if _matches(name):
                yield str(name), str(dig(variable, "value") or "")


def _matches(name: object) -> bool:
    return isinstance(name, str) and name.startswith(PREFIX)
