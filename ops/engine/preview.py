"""Previews: what `pulumi up` would change, as a typed plan, as events, or as Pulumi's diff in the terminal.

A plan is checked and not enforced. `pulumi up --plan` is experimental: it refused its own plan of a new node halfway,
where an address in a list was unknown while planning. The engine's protection covers changes that the plan did not
show.
"""

import json
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence

from pydantic import JsonValue

from infra.names import ALLOW_DELETE, ANY_RESOURCE
from ops.engine.cli import explain, run, run_in_terminal
from ops.plan import Plan, PlanError

REFRESH = ("--refresh", "--run-program")
"""Refresh the state first. With the program, so that providers use the current tokens and not those in the state."""
FORCE_PATCH = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""Needed with a refresh: unless forced, the API server rejects a patch of a field that was changed with kubectl."""
PLAN_JSON = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "false"}
"""One JSON document. An operator's shell may set it otherwise."""
ALLOW_ANY_DELETION = {ALLOW_DELETE: ANY_RESOURCE}
"""Without it, the program ends a preview at the first server that it would delete, and the plan lacks the rest."""
EVENT_JSON = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
"""One JSON event a line."""


def make_plan(stack: str, *, refresh: bool = False, flags: Sequence[str] = ()) -> Plan:
    """Compute what `up` would change. Changes nothing.

    `Plan.errors` has the errors that ended the plan early. Raises a PlanError if the engine returned no plan.
    """
    result = run_preview(stack, [*refresh_flags(refresh=refresh), *flags], refresh_variables(refresh=refresh))
    if not result.stdout.strip():
        raise PlanError(explain(result.stderr, stack))
    plan = Plan.read(result.stdout).model_copy(update={"refreshed": refresh})
    if result.returncode != 0 and not plan.errors:
        raise PlanError(explain(result.stderr, stack))
    return plan


def make_complete_plan(stack: str, *, refresh: bool = False, flags: Sequence[str] = ()) -> Plan:
    """As `make_plan`, but raises a PlanError if the plan has errors."""
    plan = make_plan(stack, refresh=refresh, flags=flags)
    if plan.errors:
        raise PlanError("\n".join(dict.fromkeys(plan.errors)))
    return plan


def run_preview(stack: str, flags: Sequence[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the engine's preview of all resources as one JSON document.

    Protection is ignored. Otherwise the engine stops at the first protected resources, and the plan lacks the rest.
    """
    return run(
        "preview",
        stack,
        ["--json", "--show-sames", "--ignore-protect", *flags],
        variables={**variables, **PLAN_JSON, **ALLOW_ANY_DELETION},
    )


def preview_events(stack: str) -> Iterator[JsonValue]:
    """The events of a preview. Unlike a plan, they contain each changed object as the API server would store it."""
    result = run("preview", stack, ["--json", "--ignore-protect"], variables={**EVENT_JSON, **ALLOW_ANY_DELETION})
    events = [json.loads(line) for line in result.stdout.splitlines()]
    if result.returncode != 0:
        diagnostics = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
        errors = [entry["message"].strip() for entry in diagnostics if entry["severity"] == "error"]
        raise PlanError("\n".join(errors) or explain(result.stderr, stack))
    yield from events


def show_diff(stack: str, *, refresh: bool = False, replace: Collection[str] = ()) -> int:
    """Show Pulumi's diff of every property in the terminal, and return the exit code."""
    return run_in_terminal(
        "preview",
        stack,
        ["--diff", "--ignore-protect", *refresh_flags(refresh=refresh), *replace_flags(replace)],
        variables={**refresh_variables(refresh=refresh), **ALLOW_ANY_DELETION},
    )


def refresh_flags(*, refresh: bool) -> Sequence[str]:
    return REFRESH if refresh else ()


def replace_flags(resources: Collection[str]) -> Sequence[str]:
    """Flags that replace resources, named like "Job::migrate", even if nothing about them changes."""
    return [f"--replace=**:{resource}" for resource in resources]


def refresh_variables(*, refresh: bool) -> Mapping[str, str]:
    return FORCE_PATCH if refresh else {}
