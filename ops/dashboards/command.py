"""The `dashboards` command."""

from collections.abc import Sequence

import click
from rich.console import Console

from dashboards import dashboards as definitions
from dashboards.grafana import render
from infra.settings.messages import PROJECT
from ops.confirmation import confirm
from ops.dashboards.changes import Change, change_of
from ops.engine import stack as engine
from ops.errors import OpsError
from ops.grafana import TOKEN, Folder, Grafana, Json
from ops.guardrails.commands import stack_option
from ops.secret_settings import required_secret
from ops.status.stack import validated

console = Console(soft_wrap=True, highlight=False)


@click.command()
@stack_option
@click.option("--yes", is_flag=True, help="Write without asking, except over a change that was made in Grafana.")
def dashboards(stack: str, yes: bool) -> None:
    """Write the dashboards to Grafana.

    Shows what changes, and asks for confirmation. Names a dashboard that somebody changed in Grafana since, and asks
    whether to overwrite it.
    """
    values = engine.read_settings(stack)
    settings = validated(values)
    if settings.grafana is None:
        raise OpsError(
            f"{PROJECT}:grafana is not set: pulumi config set --type string --path {PROJECT}:grafana.url https://…"
        )
    if settings.monitoring is None:
        raise OpsError(f"{PROJECT}:monitoring is not set, so no metrics arrive that a dashboard could show")
    token = required_secret(values, TOKEN)
    with Grafana(url=settings.grafana.url, token=token) as grafana:
        push([render(each) for each in definitions(settings)], grafana, folder=settings.grafana.folder, ask=not yes)


def push(rendered: Sequence[Json], grafana: Grafana, *, folder: str, ask: bool) -> None:
    """Shows the changes, asks, and writes them."""
    existing = grafana.folder(folder)
    changes = [change for dashboard in rendered if (change := change_of(dashboard, grafana, existing))]
    if not changes:
        console.print(f"All {len(rendered)} dashboards in the folder {folder} are up to date.")
        return
    _show(changes, folder, existing)
    edited = [change for change in changes if change.edited]
    if edited and not ask:
        titles = ", ".join(change.title for change in edited)
        raise OpsError(
            f"{titles}: changed in Grafana, as shown above. Run make dashboards, which asks before it overwrites"
        )
    if ask:
        confirm("Overwrite the changes that were made in Grafana?" if edited else "Write these dashboards?")
    target = existing or grafana.create_folder(folder)
    for change in changes:
        grafana.save(change.dashboard, folder=target.uid, version=change.version)
        console.print(f"{change.title}: written")


def _show(changes: Sequence[Change], folder: str, existing: Folder | None) -> None:
    if existing is None:
        console.print(f"folder {folder}: new")
    for change in changes:
        for line in change.lines:
            console.print(f"{change.title}: {line}", markup=False)
        if change.edited:
            console.print(
                f"{change.title}: version {change.edited.version} was not stored by this command, but in Grafana by "
                f"{change.edited.created_by or 'somebody'}. Its changes would be lost",
                markup=False,
            )
