"""What people see of an adoption: what was found, what the settings will say, what the next `up` restarts."""

import io
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML

from infra.settings.adopted import Adopted
from ops.adoption.discovery import Survey
from ops.adoption.findings import Finding, Verdict
from ops.adoption.restarts import Restart
from ops.plan import short_name

STYLES = {Verdict.AMBIGUOUS: "red", Verdict.FOUND: "green", Verdict.MISSING: "yellow", Verdict.LEFT_OUT: "dim"}


def found(survey: Survey) -> RenderableType:
    """Every resource in a line, what needs a person first; then what lives beside the program."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("resource", "", "where, or what happens instead"):
        table.add_column(heading, overflow="fold")
    order = list(Verdict)
    for urn, finding in sorted(
        survey.findings.items(), key=lambda one: (order.index(one[1].verdict), short_name(one[0]))
    ):
        verdict = Text(finding.verdict.value, style=STYLES[finding.verdict])
        table.add_row(short_name(urn), verdict, finding.note or finding.id)
    return Group(table, _counted(survey.findings), *_beside(survey.beside))


def _counted(findings: Mapping[str, Finding]) -> Text:
    verdicts = [finding.verdict for finding in findings.values()]
    return Text(" · ".join(f"{verdicts.count(verdict)} {verdict.value}" for verdict in Verdict), style="bold")


def _beside(names: Sequence[str]) -> Iterable[Text]:
    if names:
        yield Text("Not the program's, and left as it is (docs/adoption.md): " + ", ".join(names))


def settings(adopted: Adopted, file: str) -> RenderableType:
    """What will be written, as it will be written."""
    text = io.StringIO()
    YAML().dump({"honeydue:adopted": written(adopted)}, text)
    return Group(Text(f"{file} will hold what Kubernetes cannot change in place:"), Text(text.getvalue(), style="cyan"))


def written(adopted: Adopted) -> Mapping[str, object]:
    """As the settings have it: what is empty is left out."""
    return adopted.model_dump(by_alias=True, exclude_defaults=True)


def losing(found: Sequence[str]) -> RenderableType:
    """Keys of the running configuration that the program does not know."""
    if not found:
        return Text("Every key of the running configuration stays.")
    words = (
        "The next up takes away these keys; what an app still reads, give to honeydue:environment or the program first:"
    )
    return Group(Text(words, style="bold"), *(Text(f"  {one}") for one in found))


def restarting(found: Sequence[Restart]) -> RenderableType:
    """A line for each workload whose pods the next `up` makes anew."""
    if not found:
        return Text("The next up restarts nothing.")
    return Group(Text("The next up restarts:", style="bold"), *(Text(f"  {one}") for one in found))
