"""What a person sees when a rehearsal is done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rehearsal.cli.status import Machine, Observed, Task, Workload
from rehearsal.layout import COMMAND

_SHOWN_ELSEWHERE = frozenset({"nodes", "urls", "images"})


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that was done, and how long it took."""

    name: str
    seconds: float


def summary(observed: Observed, *, steps: Sequence[Step], world_option: str, real: bool = False) -> RenderableType:
    """Everything worth knowing after a run."""
    return Group(
        "",
        machine_table(observed.machines),
        workload_table(observed.workloads),
        task_table(observed.tasks),
        output_table(observed.outputs),
        step_table(steps, resources=observed.resources),
        where_next(world_option, real=real),
    )


def machine_table(machines: Iterable[Machine]) -> Table:
    table = _table("Nodes", "alias", "hostname", "address", "type", "state")
    for one in machines:
        table.add_row(
            one.alias,
            one.hostname,
            one.address,
            one.server_type,
            _verdict("ready" if one.ready else "not ready", good=one.ready),
        )
    return table


def workload_table(workloads: Iterable[Workload]) -> Table:
    table = _table("Workloads", "name", "ready", "image")
    for one in workloads:
        ready = _verdict(f"{one.ready}/{one.wanted}", good=one.ready == one.wanted)
        table.add_row(f"{one.namespace}/{one.name}", ready, " ".join(one.tags))
    return table


def task_table(tasks: Iterable[Task]) -> Table:
    table = _table("Jobs", "name", "state", "took")
    for one in tasks:
        took = f"{one.took.total_seconds():.0f} s" if one.took is not None else ""
        table.add_row(f"{one.namespace}/{one.name}", _verdict(one.state, good=one.state == "complete"), took)
    return table


def output_table(outputs: Mapping[str, Any]) -> Table:
    """The URLs in full, the other outputs as far as they fit a line."""
    table = _table("Outputs", "name", "value")
    urls = outputs.get("urls") or {}
    for name, url in urls.items() if isinstance(urls, Mapping) else enumerate(urls, start=1):
        table.add_row(str(name), Text(str(url), style="cyan"))
    for name, value in outputs.items():
        if name not in _SHOWN_ELSEWHERE:
            table.add_row(name, Text(_brief(value)))
    return table


def step_table(steps: Sequence[Step], *, resources: int) -> Table:
    table = _table("Time", "step", "seconds")
    for step in steps:
        table.add_row(step.name, f"{step.seconds:.1f}")
    table.add_row(f"all, for {resources} resources", f"{sum(step.seconds for step in steps):.1f}", style="bold")
    return table


def how_to_act(world_option: str, *, real: bool) -> str:
    """The command by which a person's plain pulumi and kubectl act in a world."""
    rehearsal = f"{COMMAND}{world_option}"
    # A shell that is there already cannot be moved into the network that real nodes have.
    return f"{rehearsal} shell" if real else f'eval "$({rehearsal} env)"'


def where_next(world_option: str, *, real: bool) -> Text:
    """Commands to go on with."""
    rehearsal = f"{COMMAND}{world_option}"
    lines = (
        (how_to_act(world_option, real=real), "then plain pulumi and kubectl act in this world"),
        (f"{rehearsal} status", "what runs"),
        (f"{rehearsal} run", "again, after a change of the program or the settings: only the change is applied"),
        (f"{rehearsal} down" if world_option else "make rehearse-down", "end it and remove it"),
    )
    width = max(len(command) for command, _ in lines)
    return Text("\n").join(
        Text.assemble("  ", (command.ljust(width), "bold"), "  ", (meaning, "dim")) for command, meaning in lines
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in {"ready", "seconds", "took"} else "left", overflow="fold")
    return table


def _verdict(text: str, *, good: bool) -> Text:
    return Text(text, style="green" if good else "red")


def _brief(value: object) -> str:
    match value:
        case str() if "\n" in value:
            return f"{len(value.splitlines())} lines"
        case Mapping():
            return ", ".join(f"{name} {content}" for name, content in value.items())
        case list():
            return f"{len(value)} entries"
        case _:
            return str(value)
