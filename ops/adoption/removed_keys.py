"""Finds the keys that a plan removes from existing ConfigMaps and Secrets.

An app that reads a removed key fails after its restart.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from ops.json_paths import dig
from ops.plan import short_name

TYPES = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret")
_KEY = re.compile(r'data(?:\.(\w+)|\["([^"]+)"\])')


def removed_keys(events: Iterable[JsonValue]) -> Iterator[str]:
    """The removed keys of each object, from the events of a preview: "ConfigMap::honeydue-config: DB_MAX_OPEN_CONNS".

    Never yields a value.
    """
    for event in events:
        step = dig(event, "resourcePreEvent", "metadata")
        if not isinstance(step, Mapping) or step.get("op") != "update" or step.get("type") not in TYPES:
            continue
        diff = step.get("detailedDiff")
        removed = [
            path
            for path, change in (diff.items() if isinstance(diff, Mapping) else ())
            if dig(change, "diffKind") == "delete"
        ]
        if keys := sorted(match[1] or match[2] for path in removed if (match := _KEY.fullmatch(path))):
            yield f"{short_name(str(step['urn']))}: {', '.join(keys)}"
