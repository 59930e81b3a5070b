"""How an adoption is shown in a terminal."""

import io
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML

from infra.settings.adopted import Adopted
from ops.adoption.agents import MetricsAgent
from ops.adoption.discovery import DiscoveryResult
from ops.adoption.effects.effect import Effect
from ops.adoption.findings import Finding, Status
from ops.adoption.restarts import Restart
from ops.adoption.workloads import Workload
from ops.plan import short_name

STYLES = {Status.AMBIGUOUS: "red", Status.FOUND: "green", Status.MISSING: "yellow", Status.SKIPPED: "dim"}

PRIMARY_IP_WARNING = (
    'For each primary IP, Pulumi now warns that "one or more imported inputs failed to validate". Ignore this warning. '
    "Hetzner returns both the location and the server of an address, the provider accepts only one of them in a "
    "program, and this program declares the location. The address and its server stay unchanged."
)

UNKNOWN_SERVER_OPTIONS = (
    "No Node has the annotation in which k3s records the options of a server. Compare honeydue:cluster with the "
    "options of the running servers: k3s refuses a new server that differs from them (docs/adoption.md)."
)

UNSERVED = (
    "Traefik no longer serves these routes after the next up, because it then reads the namespace honeydue only. No "
    "setting keeps them: move each to another ingress controller first"
)
DETACHED = (
    "The next up detaches these firewalls, because a server then has the firewall of the program only. No setting "
    "keeps them: add their sources to honeydue:access.operators first"
)
AGENTS = (
    "These metrics agents run already. The next up starts vmagent beside them, and each series then arrives twice, "
    "with different labels. Leave them until vmagent writes, then remove them (docs/adoption.md):"
)


def findings_table(result: DiscoveryResult) -> RenderableType:
    """One row for each resource, ambiguous ones first; the number of each status; then what is not declared."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("resource", "status", "id, or what happens instead"):
        table.add_column(heading, overflow="fold")
    order = list(Status)
    for urn, finding in sorted(
        result.findings.items(), key=lambda item: (order.index(item[1].status), short_name(item[0]))
    ):
        status = Text(finding.status.value, style=STYLES[finding.status])
        table.add_row(short_name(urn), status, finding.note or finding.id)
    return Group(
        table,
        _counts(result.findings),
        *_listed("Undeclared objects, which stay unchanged (docs/adoption.md)", result.undeclared),
        *_listed(UNSERVED, result.unserved, style="bold"),
        *_listed(DETACHED, result.detached, style="bold"),
        *_affected(result.affected),
        *_agents(result.agents),
    )


def _counts(findings: Mapping[str, Finding]) -> Text:
    statuses = [finding.status for finding in findings.values()]
    return Text(" · ".join(f"{statuses.count(status)} {status.value}" for status in Status), style="bold")


def _listed(heading: str, names: Sequence[str], *, style: str = "") -> Iterable[Text]:
    if names:
        yield Text(f"{heading}: {', '.join(names)}", style=style)


def _affected(workloads: Mapping[Workload, Sequence[Effect]]) -> Iterable[Text]:
    """The undeclared workloads that the next `up` affects, and what prevents each effect."""
    if workloads:
        yield Text(
            "The next up affects these undeclared workloads. Before it, add the settings that they need "
            "(docs/adoption.md):",
            style="bold",
        )
    for workload in sorted(workloads, key=str):
        yield Text(f"  {workload}")
        yield from (Text(f"    {effect}") for effect in workloads[workload])


def _agents(agents: Sequence[MetricsAgent]) -> Iterable[Text]:
    if agents:
        yield Text(AGENTS, style="bold")
    yield from (Text(f"  {agent}") for agent in sorted(agents, key=str))


def admin_connections(*, uses_api_url: bool) -> Text:
    """Whether the server side of admin may call api by its public name."""
    if uses_api_url:
        return Text("admin: the next up closes its egress to port 443, because honeydue:adminUsesApiUrl is true.")
    return Text(
        "admin: its egress to port 443 stays open, because its server side may call api by its public name. "
        "Set honeydue:adminUsesApiUrl to true when the image uses API_URL."
    )


def changed_settings(changes: Mapping[str, object], file: str) -> RenderableType:
    """The settings that will be written, by path."""
    text = io.StringIO()
    YAML().dump(dict(changes), text)
    return Group(Text(f"These settings will be written to {file}:"), Text(text.getvalue(), style="cyan"))


def setting_value(adopted: Adopted) -> Mapping[str, object]:
    """The value of `honeydue:adopted`, without empty fields."""
    return adopted.model_dump(by_alias=True, exclude_defaults=True)


def removed_keys_list(objects: Sequence[str]) -> RenderableType:
    """The keys of existing ConfigMaps and Secrets that the next `up` removes."""
    if not objects:
        return Text("The next up removes no key of a ConfigMap or Secret.")
    heading = (
        "The next up removes these keys. Add those that an app still reads to honeydue:environment or the program:"
    )
    return Group(Text(heading, style="bold"), *(Text(f"  {line}") for line in objects))


def removed_fields_list(objects: Sequence[str]) -> RenderableType:
    """What the next `up` removes from other existing objects."""
    if not objects:
        return Text("The next up removes no annotation, port, variable or chart value.")
    heading = (
        "The next up also removes these fields. Add variables that api or worker read to honeydue:environment; no "
        "setting keeps the others, so add to the program what must stay:"
    )
    return Group(Text(heading, style="bold"), *(Text(f"  {line}") for line in objects))


def changed_traces(variables: Sequence[str]) -> RenderableType:
    """The variables of OpenTelemetry that the next `up` changes or removes."""
    heading = (
        "The next up changes or removes these variables of OpenTelemetry. To keep the traces of api and worker, with "
        "the names of their services, set honeydue:traces and not honeydue:environment (docs/traces.md):"
    )
    return Group(Text(heading, style="bold"), *(Text(f"  {line}") for line in variables))


def restarts_list(restarts: Sequence[Restart]) -> RenderableType:
    """One line for each workload whose pods the next `up` restarts."""
    if not restarts:
        return Text("The next up restarts no pod.")
    return Group(Text("The next up restarts:", style="bold"), *(Text(f"  {restart}") for restart in restarts))
