"""The `adopt` command. It imports every declared resource that exists already, without changing it.

An interrupted adoption continues with the next run: imported resources are not looked up again, and every other step is
idempotent.
"""

import sys
from collections.abc import Collection, Sequence

import click
from rich.console import Console
from rich.progress import track
from rich.text import Text

from ops import kubernetes, stackfile
from ops.adoption import report
from ops.adoption.discovery import Discovery, DiscoveryResult, LookupSettings, import_files
from ops.adoption.field_managers import ownership_transfers
from ops.adoption.findings import Candidate
from ops.adoption.removed_fields import removed_fields
from ops.adoption.removed_keys import removed_keys
from ops.adoption.restarts import restarts
from ops.adoption.server_options import changed_settings, server_options
from ops.adoption.traces import changed_variables
from ops.confirmation import confirm
from ops.engine.imports import import_resources, plan_imports
from ops.engine.preview import preview_events
from ops.engine.stack import Settings, read_settings, state_resources
from ops.errors import OpsError
from ops.json_paths import dig
from ops.plan import DELETING_OPERATIONS, short_name
from ops.planning import plan_with_checked_tokens
from ops.resource_types import CLIENT_CERTIFICATE, PRIMARY_IP

ADOPTED = "honeydue:adopted"
CLUSTER = "honeydue:cluster"
CLIENT_CERTIFICATE_SETTING = "honeydue:edge.clientCertificate"
REQUESTED = "requested"
STEP = ("resourcePreEvent", "metadata")

console = Console(soft_wrap=True, highlight=False)


@click.command()
@click.option("--stack", required=True, help="Name of the Pulumi stack, for example prod.")
@click.option("--yes", is_flag=True, help="Import without asking for confirmation.")
def adopt(stack: str, yes: bool) -> None:
    """Import existing resources into the stack without changing them.

    The command lists what exists and asks for confirmation. It can be run again: it then continues, or does nothing.
    """
    try:
        _adopt(stack, ask=not yes)
    except OpsError as error:
        console.print(Text.assemble(("adopt: ", "red"), str(error)))
        sys.exit(1)


def _adopt(stack: str, *, ask: bool) -> None:
    with console.status(f"Planning stack {stack}"):
        settings = read_settings(stack)
        (plan, file), _ = plan_with_checked_tokens(
            lambda: plan_imports(stack, settings), lambda: settings, changes=True
        )
    lookup_settings = LookupSettings.of(settings)
    with kubernetes.connect(stack, settings) as cluster:
        discovery = Discovery(lookup_settings, plan, cluster)
        result = discovery.run(
            track(discovery.candidates, "Looking up existing resources", console=console, transient=True)
        )
        transfers_pending = any(ownership_transfers(cluster, state_resources(stack)))
        servers = server_options(cluster)
    console.print(report.findings_table(result))
    console.print(report.admin_connections(uses_api_url=lookup_settings.admin_uses_api_url))
    if result.ambiguous:
        raise OpsError(
            f"{result.ambiguous} ambiguous, as shown above. Nothing was changed. Resolve them and run the command again"
        )
    files = import_files(file, plan, result.ids)
    changes = _changed_settings(settings, lookup_settings, discovery, result)
    changes |= {f"{CLUSTER}.{key}": value for key, value in changed_settings(servers, settings.get("cluster")).items()}
    if not servers:
        console.print(report.UNKNOWN_SERVER_OPTIONS)
    if not files and not transfers_pending and not changes:
        console.print("Nothing to adopt: every existing resource is in the stack.")
        return
    settings_file = stackfile.settings_file(stack)
    if changes:
        console.print(report.changed_settings(changes, settings_file.name))
    if ask:
        confirm(
            f"Import these {len(result.ids)} resources into stack {stack}? "
            "The resources stay unchanged, except for the owner of their fields (metadata.managedFields)"
        )
    # Before the import, so that no later plan has another selector or volume than the imported objects.
    for path, value in changes.items():
        stackfile.set_value(settings_file, path, value)
    if any(f"{PRIMARY_IP}::" in urn for urn in result.ids):
        console.print(report.PRIMARY_IP_WARNING)
    for import_file in files:
        import_resources(stack, import_file)
    _transfer_ownership(stack, settings)
    _report_next_up(stack, result)


def _changed_settings(
    settings: Settings, lookup_settings: LookupSettings, discovery: Discovery, result: DiscoveryResult
) -> dict[str, object]:
    """The settings that the imported resources need, by path."""
    changes: dict[str, object] = {}
    if result.adopted != lookup_settings.adopted:
        changes[ADOPTED] = report.setting_value(result.adopted)
    if _uploads_certificate(discovery.candidates) and dig(settings, "edge", "clientCertificate") != REQUESTED:
        # With "required", the running site would reject Cloudflare for minutes after the upload of the certificate.
        changes[CLIENT_CERTIFICATE_SETTING] = REQUESTED
    return changes


def _uploads_certificate(candidates: Sequence[Candidate]) -> bool:
    return any(candidate.type == CLIENT_CERTIFICATE for candidate in candidates)


def _transfer_ownership(stack: str, settings: Settings) -> None:
    with kubernetes.connect(stack, settings) as cluster:
        for transfer in ownership_transfers(cluster, state_resources(stack)):
            transfer.apply(cluster)


def _report_next_up(stack: str, result: DiscoveryResult) -> None:
    """Print what the next `up` does to the imported resources. Raises an OpsError if it would delete or replace one."""
    with console.status("Planning the next up"):
        events = list(preview_events(stack))
    steps = [(str(dig(event, *STEP, "op")), str(dig(event, *STEP, "urn"))) for event in events if dig(event, *STEP)]
    _refuse_replacements(steps, imported=result.ids.keys())
    counts = {
        op: sum(step_op == op for step_op, urn in steps if "pulumi:providers" not in urn) for op in ("update", "create")
    }
    console.print(
        f"Import complete. The next up updates {counts['update']} resources, creates {counts['create']} "
        "and replaces none."
    )
    console.print(report.restarts_list(list(restarts(events))))
    console.print(report.removed_keys_list(list(removed_keys(events))))
    console.print(report.removed_fields_list(list(removed_fields(events))))
    if variables := list(changed_variables(events)):
        console.print(report.changed_traces(variables))
    console.print(f"Review it with make preview STACK={stack}, then run make up STACK={stack}.")


def _refuse_replacements(steps: Collection[tuple[str, str]], *, imported: Collection[str]) -> None:
    replaced = sorted(
        short_name(urn) for op, urn in steps if op in DELETING_OPERATIONS or (op == "create" and urn in imported)
    )
    if replaced:
        raise OpsError(
            f"the import is complete, but the next up would replace {', '.join(replaced)}. Do not run it. "
            "`make preview DIFF=1` shows the reason"
        )
