"""Which keys of running configuration a plan takes away: an app that reads one would miss it after its restart."""

import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from ops.adoption.findings import dig
from ops.plan import short_name

HOLDERS = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret")
_KEY = re.compile(r'data(?:\.(\w+)|\["([^"]+)"\])')


def lost_keys(events: Iterable[JsonValue]) -> Iterator[str]:
    """From the events of a preview: "ConfigMap::honeydue-config: DB_MAX_OPEN_CONNS". Names alone, never a value."""
    for event in events:
        step = dig(event, "resourcePreEvent", "metadata")
        if not isinstance(step, Mapping) or step.get("op") != "update" or step.get("type") not in HOLDERS:
            continue
        diff = step.get("detailedDiff")
        gone = [
            path
            for path, change in (diff.items() if isinstance(diff, Mapping) else ())
            if dig(change, "diffKind") == "delete"
        ]
        if keys := sorted(found[1] or found[2] for path in gone if (found := _KEY.fullmatch(path))):
            yield f"{short_name(str(step['urn']))}: {', '.join(keys)}"
