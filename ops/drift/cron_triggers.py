"""Compares cron triggers of Workers with the state. The provider never refreshes them.

(`no_refresh` in internal/services/workers_cron_trigger/model.go of terraform-provider-cloudflare.) For the same reason,
only the replacement of such a trigger changes it back (docs/uptime.md).
"""

from collections.abc import Collection, Sequence

from pydantic import JsonValue

from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.rows import MISSING, DriftRow
from ops.errors import ForbiddenError
from ops.json_paths import dig
from ops.permissions import READ, WORKER_SCRIPTS
from ops.plan import State
from ops.resource_types import CRON_TRIGGER


def changed_cron_triggers(
    cloudflare: Cloudflare, resources: Collection[State]
) -> tuple[Sequence[DriftRow], Sequence[str]]:
    """The rows, and what the token may not read: "cron triggers (permission Workers Scripts: Read)"."""
    rows: list[DriftRow] = []
    for state in resources:
        if state.type != CRON_TRIGGER:
            continue
        account, script = (dig(state.inputs, name) for name in ("accountId", "scriptName"))
        try:
            result = cloudflare.read(f"/accounts/{account}/workers/scripts/{script}/schedules")
        except ForbiddenError:
            return rows, [f"cron triggers (permission {WORKER_SCRIPTS}: {READ})"]
        # Without the script, the refresh has a row for it.
        declared, actual = (_expressions(dig(item, "schedules")) for item in (state.inputs, result))
        if result is not None and actual != declared:
            rows.append(
                DriftRow(
                    resource=state.short, property="schedules", declared=declared, actual=actual if actual else MISSING
                )
            )
    return rows, []


def _expressions(schedules: JsonValue) -> list[JsonValue]:
    return [dig(schedule, "cron") for schedule in schedules] if isinstance(schedules, list) else []
