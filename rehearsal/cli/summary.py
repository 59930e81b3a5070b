"""Formats the status of a world as tables, and the summary of a rehearsal."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rehearsal.cli.status import JobStatus, NodeStatus, WorkloadStatus, WorldState, WorldStatus
from rehearsal.layout import COMMAND

_NUMERIC_COLUMNS = frozenset({"ready", "seconds", "duration"})
_OUTPUTS_IN_OTHER_TABLES = frozenset({"nodes", "images"})


@dataclass(frozen=True, kw_only=True)
class Step:
    """A completed step of a rehearsal."""

    name: str
    seconds: float


def summary(
    status: WorldStatus,
    *,
    steps: Sequence[Step],
    world_option: str,
    real_nodes: bool = False,
    real_plugins: Collection[str] = (),
    not_simulated: Sequence[str] = (),
) -> RenderableType:
    """The summary of a rehearsal: all tables, and the commands for the next steps.

    `real_plugins` are the providers with their real plugin, `not_simulated` the requests that no cloud simulates.
    """
    return Group(
        "",
        node_table(status.nodes),
        workload_table(status.workloads),
        job_table(status.jobs),
        output_table(status.outputs),
        plugin_table(real_plugins, not_simulated),
        step_table(steps, resources=status.resources),
        next_commands(world_option, real_nodes=real_nodes),
    )


def world_table(worlds: Iterable[WorldState]) -> Table:
    table = _table("Worlds", "name", "nodes", "state")
    for world in worlds:
        nodes, state = "real" if world.real_nodes else "kwok", _colored("up" if world.up else "down", good=world.up)
        table.add_row(world.name, nodes, state)
    return table


def node_table(nodes: Iterable[NodeStatus]) -> Table:
    table = _table("Nodes", "alias", "hostname", "address", "type", "state")
    for node in nodes:
        state = _colored("ready" if node.ready else "not ready", good=node.ready)
        table.add_row(node.alias, node.hostname, node.address, node.server_type, state)
    return table


def workload_table(workloads: Iterable[WorkloadStatus]) -> Table:
    table = _table("Workloads", "name", "ready", "image")
    for workload in workloads:
        ready = _colored(f"{workload.ready}/{workload.desired}", good=workload.ready == workload.desired)
        table.add_row(f"{workload.namespace}/{workload.name}", ready, " ".join(workload.images))
    return table


def job_table(jobs: Iterable[JobStatus]) -> Table:
    table = _table("Jobs", "name", "state", "duration")
    for job in jobs:
        duration = f"{job.duration.total_seconds():.0f} s" if job.duration is not None else ""
        table.add_row(f"{job.namespace}/{job.name}", _colored(job.state, good=job.state == "complete"), duration)
    return table


def plugin_table(real_plugins: Collection[str], not_simulated: Sequence[str]) -> Table:
    """Which provider plugins ran, and what they asked of the simulated clouds in vain."""
    table = _table("Clouds", "provider", "plugin", "not simulated")
    for provider, vendor in {"hcloud": "/v1/", "cloudflare": "/client/v4/"}.items():
        requests = dict.fromkeys(line for line in not_simulated if f" {vendor}" in line)
        table.add_row(provider, "real" if provider in real_plugins else "simulated", ", ".join(requests) or "-")
    return table


def output_table(outputs: Mapping[str, Any]) -> Table:
    """The stack's outputs by their names: one line for each URL, and all others shortened to one line."""
    table = _table("Outputs", "name", "value")
    for name, value in outputs.items():
        if name == "urls" and isinstance(value, Mapping):
            width = max(map(len, value), default=0)
            lines = [f"{host.ljust(width)}  {url}" for host, url in value.items()]
            table.add_row(name, Text("\n".join(lines), style="cyan"))
        elif name not in _OUTPUTS_IN_OTHER_TABLES:
            table.add_row(name, Text(_shorten(value)))
    return table


def step_table(steps: Sequence[Step], *, resources: int) -> Table:
    table = _table("Time", "step", "seconds")
    for step in steps:
        table.add_row(step.name, f"{step.seconds:.1f}")
    total = sum(step.seconds for step in steps)
    table.add_row(f"total for {resources} resources", f"{total:.1f}", style="bold")
    return table


def enter_command(world_option: str, *, real_nodes: bool) -> str:
    """The command after which `pulumi` and `kubectl` act in a world."""
    rehearsal = f"{COMMAND}{world_option}"
    # A running shell cannot be moved into the network of real nodes.
    return f"{rehearsal} shell" if real_nodes else f'eval "$({rehearsal} env)"'


def next_commands(world_option: str, *, real_nodes: bool) -> Text:
    """The commands for the next steps, each with a description."""
    rehearsal = f"{COMMAND}{world_option}"
    lines = (
        (enter_command(world_option, real_nodes=real_nodes), "use pulumi and kubectl in this world"),
        (f"{rehearsal} status", "show what runs"),
        (f"{rehearsal} run", "apply a change of the program or the settings"),
        (f"{rehearsal} down" if world_option else "make rehearse-down", "end this world and remove it"),
    )
    width = max(len(command) for command, _ in lines)
    return Text("\n").join(
        Text.assemble("  ", (command.ljust(width), "bold"), "  ", (description, "dim"))
        for command, description in lines
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMERIC_COLUMNS else "left", overflow="fold")
    return table


def _colored(text: str, *, good: bool) -> Text:
    return Text(text, style="green" if good else "red")


def _shorten(value: object) -> str:
    match value:
        case str() if "\n" in value:
            return f"{len(value.splitlines())} lines"
        case Mapping():
            return ", ".join(f"{name} {content}" for name, content in value.items())
        case list():
            return f"{len(value)} entries"
        case _:
            return str(value)
