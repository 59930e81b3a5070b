"""`adopt`: the first day. What the program declares and already exists becomes the stack's, as it is.

Interrupted, it goes on where it was: what was imported is no longer looked for, and no other step changes anything twice.
"""

import sys
from collections.abc import Collection

import click
from rich.console import Console
from rich.progress import track
from rich.text import Text

from ops import engine, stackfile
from ops.adoption import report
from ops.adoption.discovery import Known, Surveyor, import_files
from ops.adoption.field_managers import handovers
from ops.adoption.findings import dig
from ops.adoption.removed_keys import lost_keys
from ops.adoption.restarts import restarts
from ops.errors import OpsError
from ops.plan import DELETING_OPERATIONS, PlanError, short_name

ADOPTED = "honeydue:adopted"
STEP = ("resourcePreEvent", "metadata")

console = Console(soft_wrap=True, highlight=False)


@click.command()
@click.option("--stack", required=True, help="Which stack.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def adopt(stack: str, yes: bool) -> None:
    """Take over what already exists, without touching it; asks first. Run again, it goes on or does nothing."""
    try:
        _adopt(stack, ask=not yes)
    except (OpsError, PlanError) as error:
        console.print(Text.assemble(("adopt: ", "red"), str(error)))
        sys.exit(1)


def _adopt(stack: str, *, ask: bool) -> None:
    with console.status(f"planning {stack}"):
        settings = engine.settings(stack)
        plan, file = engine.plan_imports(stack, settings)
    known = Known.of(settings)
    with engine.cluster(stack, settings) as cluster:
        surveyor = Surveyor(known, plan, cluster)
        survey = surveyor.survey(track(surveyor.wanted, "looking for what exists", console=console, transient=True))
        unfinished = any(handovers(cluster, engine.held(stack)))
    console.print(report.found(survey))
    if survey.ambiguous:
        raise OpsError(f"{survey.ambiguous} ambiguous, as shown; nothing was changed. Decide, then run it again")
    files = import_files(file, plan, survey.ids)
    if not files and not unfinished and survey.adopted == known.adopted:
        console.print("Nothing to adopt: the stack holds all that exists.")
        return
    if survey.adopted != known.adopted:
        console.print(report.settings(survey.adopted, stackfile.settings_file(stack).name))
    if ask:
        click.confirm(
            f"Give these {len(survey.ids)} to stack {stack}? In production nothing changes but the account of who owns which field",
            abort=True,
        )
    if survey.adopted != known.adopted:
        # Before the import: whatever is planned from then on, it must not be another selector or volume.
        stackfile.set_value(stackfile.settings_file(stack), ADOPTED, report.written(survey.adopted))
    for one in files:
        engine.import_resources(stack, one)
    with engine.cluster(stack, settings) as cluster:
        for handover in handovers(cluster, engine.held(stack)):
            handover.apply(cluster)
    _look_ahead(stack, survey.ids.keys())


def _look_ahead(stack: str, adopted: Collection[str]) -> None:
    """What the next `up` does to all of it: updates, each restart by name, and never a loss."""
    with console.status("planning what comes next"):
        events = list(engine.previewed(stack))
    planned = [(str(dig(one, *STEP, "op")), str(dig(one, *STEP, "urn"))) for one in events if dig(one, *STEP)]
    wrong = sorted(
        short_name(urn) for op, urn in planned if op in DELETING_OPERATIONS or (op == "create" and urn in adopted)
    )
    if wrong:
        raise OpsError(
            f"taken over, but the next up would replace {', '.join(wrong)}: do not run it. `make preview DIFF=1` shows why"
        )
    counts = {
        op: sum(one == op for one, urn in planned if "pulumi:providers" not in urn) for op in ("update", "create")
    }
    console.print(
        f"Taken over. The next up updates {counts['update']} and creates {counts['create']}; it replaces nothing."
    )
    console.print(report.restarting(list(restarts(events))))
    console.print(report.losing(list(lost_keys(events))))
    console.print(f"Look at all of it with make preview STACK={stack}, then make up STACK={stack}.")
