"""The `preview` and `up` commands. Both compute a plan and check it against the guard rails first."""

import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import click
from rich.console import Console

from ops.confirmation import confirm
from ops.drift.rows import manual_changes
from ops.engine.history import incomplete_update
from ops.engine.preview import make_plan, replace_flags, show_diff
from ops.engine.stack import read_settings
from ops.engine.update import apply
from ops.errors import OpsError
from ops.guardrails import cluster
from ops.guardrails.deletion import confirmed_deletions, unprotected
from ops.guardrails.quorum import lost_quorum
from ops.guardrails.rules import check, missing
from ops.guardrails.signatures import images_are_signed
from ops.guardrails.summary import already_deleted, changes, command_to_continue, put_back, refusal, undeclared
from ops.node_removal.planned import Removal, removal_of
from ops.plan import Plan
from ops.planning import plan_with_checked_tokens
from ops.recovery.continuation import existing_resources, with_imports
from ops.recovery.pending import clear_pending_creations
from ops.release.annotation import mark, started
from ops.resize.planned import Resize, resize_of

console = Console(soft_wrap=True, highlight=False)
stack_option = click.option("--stack", required=True, help="Name of the Pulumi stack, for example prod.")
allow_delete_option = click.option(
    "--allow-delete",
    metavar="RESOURCE",
    multiple=True,
    help="A resource that this plan may delete or replace, for example Server::hetzner3. Repeat for each.",
)
nodes_have_option = click.option(
    "--nodes-have",
    metavar="SETTING",
    multiple=True,
    help="A changed setting whose new value all nodes already have, for example honeydue:cluster.k3sVersion. "
    "Repeat for each.",
)
replace_option = click.option(
    "--replace",
    metavar="RESOURCE",
    multiple=True,
    help="A resource to replace even if nothing about it changes, for example Job::migrate. Repeat for each.",
)
refresh_option = click.option(
    "--refresh",
    is_flag=True,
    help="Refresh the state from Hetzner, Cloudflare and the cluster first, so that manual changes are reverted. "
    "Always done after an update that did not complete.",
)


@click.command()
@stack_option
@allow_delete_option
@nodes_have_option
@replace_option
@refresh_option
@click.option("--diff", is_flag=True, help="Also show Pulumi's diff of every property.")
def preview(stack: str, refresh: bool, diff: bool, **names: tuple[str, ...]) -> None:
    """Show what `up` would change. Changes nothing.

    Exits with 1 if the engine cannot compute a plan, or if the plan breaks a guard rail.
    """
    plan = checked_plan(stack, **names, refresh=refresh, applies=False)
    existing_resources(stack, plan)
    if diff:
        sys.exit(show_diff(stack, refresh=plan.refreshed, replace=names["replace"]))


@click.command()
@stack_option
@allow_delete_option
@nodes_have_option
@replace_option
@refresh_option
@click.option("--yes", is_flag=True, help="Apply without asking for confirmation.")
def up(stack: str, refresh: bool, yes: bool, **names: tuple[str, ...]) -> None:
    """Apply the program.

    Computes a plan, checks it against the guard rails and asks for confirmation first. The node of a server that is
    resized is drained before, and its server is powered on again afterwards. A node that is removed leaves the cluster
    before its server is deleted. What an interrupted `up` created without storing it in the state is imported first.
    """
    allow_delete, replace = names["allow_delete"], names["replace"]
    planned = partial(checked_plan, stack, **names, refresh=refresh, applies=True)
    plan = with_imports(stack, planned, ask=not yes)
    resize = resize_of(plan)
    removal = removal_of(plan)
    for work in filter(None, (resize, removal)):
        console.print(str(work))
    if not yes:
        confirm(f"Apply these changes to stack {stack}?")
        # A node may have been lost while the operator read the plan.
        if violations := lost_quorum(stack, plan):
            console.print(refusal(violations, stack=stack))
            sys.exit(1)
    clear_pending_creations(stack)
    remove_undeclared(stack, plan)
    annotation = started(stack, plan)
    with unprotected(stack, confirmed_deletions(plan, allow_delete)):
        status = _resized(stack, resize, refresh=plan.refreshed) if resize else 0
        if removal and status == 0:
            status = _removed(stack, removal, refresh=plan.refreshed, allow_delete=allow_delete)
        status = status or apply(stack, refresh=plan.refreshed, allow_delete=allow_delete, replace=replace)
    mark(annotation, completed=status == 0)
    if status != 0 and allow_delete:
        console.print(command_to_continue(allow_delete, stack=stack))
    if plan.refreshed and status == 0:
        console.print(put_back(manual_changes(plan)))
    sys.exit(status)


def _resized(stack: str, resize: Resize, *, refresh: bool) -> int:
    # Imported here, because the clouds' clients are slow to import.
    from ops.resize.server import resize_server  # noqa: PLC0415

    return resize_server(stack, resize, refresh=refresh)


def _removed(stack: str, removal: Removal, *, refresh: bool, allow_delete: Collection[str]) -> int:
    # Imported here, because the clouds' clients are slow to import.
    from ops.node_removal.removal import remove_node  # noqa: PLC0415

    try:
        return remove_node(stack, removal, refresh=refresh, allow_delete=allow_delete)
    except OpsError:
        console.print(command_to_continue(allow_delete, stack=stack))
        raise


def checked_plan(
    stack: str,
    *,
    allow_delete: Collection[str] = (),
    nodes_have: Collection[str] = (),
    replace: Collection[str] = (),
    refresh: bool = False,
    applies: bool = True,
) -> Plan:
    """Compute a plan and print it.

    Ends the command if the engine cannot plan, if the plan breaks a guard rail, or if a token of the settings lacks a
    right. With `applies` false, a token that may only read is enough. With `refresh`, and always after an update that
    did not complete, the state is refreshed first.
    """
    try:
        # At the same time, because the plan takes seconds.
        with console.status(f"Planning stack {stack}"), ThreadPoolExecutor() as executor:
            settings = executor.submit(read_settings, stack)
            connecting = executor.submit(cluster.unreachable, stack, settings.result)
            plan, missing_rights = plan_with_checked_tokens(
                lambda: _plan(stack, refresh=refresh, replace=replace), settings.result, changes=applies
            )
            unreachable = connecting.result()
        if unreachable and not plan.errors and cluster.must_respond(plan):
            raise unreachable
    except OpsError as error:
        raise click.ClickException(f"Could not compute a plan. Nothing was changed.\n{error}") from None
    console.print(changes(plan))
    for message in missing_rights:
        console.print(f"make up would be refused: {message}", style="yellow", markup=False)
    if deleted := missing(plan, allow_delete):
        console.print(already_deleted(deleted))
    if plan.refreshed:
        from ops.drift.removal import removals_of  # noqa: PLC0415  # the Kubernetes client is slow to import

        console.print(undeclared(list(map(str, removals_of(plan)))))
    violations = [
        *check(plan, allow_delete=allow_delete, nodes_have=nodes_have),
        *lost_quorum(stack, plan),
        *images_are_signed(stack, plan, settings.result),
    ]
    if violations:
        console.print(refusal(violations, stack=stack))
    if plan.errors:
        raise click.ClickException(
            "Could not compute the complete plan. Nothing was changed.\n" + "\n".join(plan.errors)
        )
    if violations:
        sys.exit(1)
    return plan


def _plan(stack: str, *, refresh: bool, replace: Collection[str]) -> Plan:
    if not refresh:
        with ThreadPoolExecutor() as executor:
            # At the same time, because an update usually succeeded.
            planned = executor.submit(make_plan, stack, flags=replace_flags(replace))
            incomplete = incomplete_update(stack)
            if incomplete is None:
                return planned.result()
        console.print(
            f"The last update of {stack} {incomplete}. What it changed is read first: as with REFRESH=1, every "
            "resource is read, which takes some seconds, and manual changes are reverted.",
            style="yellow",
        )
    from ops.drift.removal import refreshed_plan  # noqa: PLC0415  # the Kubernetes client is slow to import

    return refreshed_plan(stack, replace_flags(replace))


def remove_undeclared(stack: str, plan: Plan) -> None:
    """Remove what the plan shows as removed from objects. Only a plan with a refresh does."""
    if not plan.refreshed:
        return
    from ops.drift.removal import remove  # noqa: PLC0415  # the Kubernetes client is slow to import

    remove(stack, plan)
