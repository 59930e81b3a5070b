"""The `status` command: one screen about the cluster, the release, the alerts and the certificates."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.text import Text

from infra.monitoring.rules import alert_rules
from infra.monitoring.rules.control_plane import EXPIRY_DAYS, notice_days
from infra.settings.messages import PROJECT
from infra.settings.schema import Settings
from infra.settings.secrets import SECRETS
from ops.engine import stack as engine
from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.kubernetes import SETTING, STATE, Cluster, Source, kubeconfig_and_context, source_of
from ops.status.alerts import alert_lines
from ops.status.cluster import cluster_lines
from ops.status.line import UNCHECKED, Line, Result, checked, exit_code, in_order, unchecked
from ops.status.obs import PASSWORD, Obs
from ops.status.stack import cost_line, kubeconfig_lines, origin_certificate_lines, validated
from ops.status.uptime import OUTPUT as STATUS_TOKEN
from ops.status.uptime import uptime_lines, worker_url

STYLES = {Result.OK: "green", Result.PROBLEM: "red", Result.UNCHECKED: "yellow"}
RENEWALS: Mapping[Source, str] = {
    SETTING: "docs/runbook.md#renew-the-kubeconfig",
    STATE: "the certificate authority of the cluster expires with it (https://docs.k3s.io/cli/certificate)",
}
"""How an operator renews the client certificate of a kubeconfig."""
CLOUDFLARE_TOKEN = "cloudflareToken"  # noqa: S105  # the name of a setting
RESULT_WIDTH = max(len(result.value) for result in Result)

console = Console(soft_wrap=True, highlight=False)


@click.command()
@stack_option
def status(stack: str) -> None:
    """Show what runs, and whether it is well. Changes nothing.

    Exit codes: 0 all is well; 1 there are problems; 2 something could not be checked, its line states the reason.
    """
    now = datetime.now(UTC)
    try:
        values = engine.read_settings(stack)
    except OpsError as error:
        console.print(Text.assemble(("status: ", "red"), f"could not check stack {stack}. {error}"))
        sys.exit(UNCHECKED)
    lines = read_lines(stack, values, now)
    console.print(Text(f"Stack {stack}, {values.get('domain', 'no domain')}, {now:%Y-%m-%d %H:%M} UTC", style="bold"))
    console.print(rendered(lines))
    sys.exit(exit_code(lines))


def read_lines(stack: str, values: engine.Settings, now: datetime) -> Sequence[Line]:
    """All lines. The cluster, VictoriaMetrics and the Worker are read at the same time: each may time out."""
    try:
        settings = validated(values)
    except OpsError as error:
        settings, lines = None, [unchecked("settings", str(error))]
    else:
        lines = []
    with ThreadPoolExecutor() as executor:
        cluster = executor.submit(lambda: list(_cluster_lines(stack, values, settings, now)))
        metrics = executor.submit(lambda: list(_metrics_lines(values, settings)))
        uptime = executor.submit(lambda: list(_uptime_lines(stack, values, settings, now)))
        outputs = executor.submit(lambda: list(_output_lines(stack, settings, now)))
        lines += [*cluster.result(), *metrics.result(), *uptime.result(), *outputs.result()]
    return in_order([*lines, cost_line(settings)] if settings else lines)


def rendered(lines: Sequence[Line]) -> Text:
    """One row for each line, not wrapped: rows are searched for and copied. Rich colors only a terminal's."""
    subject_width = max(len(line.subject) for line in lines)
    return Text("\n").join(
        Text.assemble(
            (f"{line.result.value:<{RESULT_WIDTH}}", STYLES[line.result]),
            f"  {line.subject:<{subject_width}}  {line.text}",
        )
        for line in lines
    )


def _cluster_lines(stack: str, values: engine.Settings, settings: Settings | None, now: datetime) -> Iterator[Line]:
    try:
        kubeconfig, context = kubeconfig_and_context(stack, values)
        source = source_of(values)
        yield from kubeconfig_lines(kubeconfig, context, now, renew=RENEWALS[source])
        with Cluster.connect(kubeconfig, context, source) as cluster:
            yield from cluster_lines(cluster, settings, now)
    except OpsError as error:
        yield unchecked("cluster", str(error))


def _metrics_lines(values: engine.Settings, settings: Settings | None) -> Iterator[Line]:
    if settings is None:
        return
    monitoring = settings.monitoring
    if monitoring is None:
        yield Line(subject="alerts", text=f"off: {PROJECT}:monitoring is not set")
        return
    if monitoring.alerts is None:
        yield Line(subject="alerts", text=f"off: {PROJECT}:monitoring.alerts is false")
        return
    password = values.get(PASSWORD)
    if not isinstance(password, str) or not password:
        yield unchecked("alerts", f"{PROJECT}:{PASSWORD} is missing: {SECRETS[PASSWORD].command}")
        return
    obs = Obs(url=monitoring.url, username=monitoring.username, password=password, cluster=settings.domain)
    yield from alert_lines(obs, alert_rules(settings))


def _uptime_lines(stack: str, values: engine.Settings, settings: Settings | None, now: datetime) -> Iterator[Line]:
    if settings is None:
        return
    if settings.uptime is None:
        yield Line(subject="uptime", text=f"off: {PROJECT}:uptime is not set")
        return
    token = str(values.get(CLOUDFLARE_TOKEN, ""))
    domain = settings.domain
    yield from checked(
        "uptime",
        lambda: uptime_lines(worker_url(token, domain), engine.read_output(stack, STATUS_TOKEN).strip(), now),
    )


def _output_lines(stack: str, settings: Settings | None, now: datetime) -> Iterator[Line]:
    notice = notice_days(settings.edge.origin_certificate_days) if settings else EXPIRY_DAYS
    yield from checked(
        "certificates",
        lambda: origin_certificate_lines(engine.read_output(stack, "originCertificateExpiry"), now, notice=notice),
    )
