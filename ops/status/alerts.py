"""The lines about metrics and alerts, from VictoriaMetrics."""

from collections.abc import Collection, Iterator

from infra.monitoring.rules import Rule
from infra.monitoring.rules.monitoring import WATCHDOG
from ops.status.line import Line, checked, problem
from ops.status.obs import Labels, Obs

NO_RECIPIENT = "none"
"""The severity of alerts that are not for people."""
RECENT, DAY = "5m", "1d"
HIDDEN_LABELS = {"__name__", "alertname", "alertstate", "alertgroup", "severity", "cluster", "replica", "follows"}
"""Labels that do not say where the alert is, or that the line shows elsewhere."""


def alert_lines(obs: Obs, rules: Collection[Rule]) -> Iterator[Line]:
    """All lines that are read from VictoriaMetrics: alerts that fire, and rules without series."""
    yield from checked("alerts", lambda: firing_lines(obs.query('ALERTS{alertstate="firing"}')))
    yield from checked("rules", lambda: missing_series_lines(obs, rules))


def firing_lines(alerts: Collection[Labels]) -> Iterator[Line]:
    """One line for each alert that fires. The Watchdog always fires while alerting runs."""
    # A set: both replicas of vmalert write the alert.
    texts = sorted({_text(labels) for labels in alerts if labels.get("severity") != NO_RECIPIENT})
    yield from (problem("alerts", text) for text in texts)
    if not any(labels.get("alertname") == WATCHDOG for labels in alerts):
        yield problem("alerts", f"alerting does not run: {WATCHDOG} does not fire, so no other alert can")
    elif not texts:
        yield Line(subject="alerts", text="none fires")


def _text(labels: Labels) -> str:
    place = ", ".join(f"{name} {value}" for name, value in sorted(labels.items()) if name not in HIDDEN_LABELS)
    severity = labels.get("severity", "no severity")
    return f"{labels.get('alertname')} ({severity}){': ' if place else ''}{place}"


def missing_series_lines(obs: Obs, rules: Collection[Rule]) -> Iterator[Line]:
    """One line for each metric of a rule that did not arrive within a day: the rule cannot fire."""
    users: dict[str, list[str]] = {}
    for rule in rules:
        for name in rule.series:
            users.setdefault(name, []).append(rule.name)
    # Most metrics arrive all the time. The expensive query about a whole day is only for the others.
    missing = users.keys() - obs.existing(users, within=RECENT)
    missing -= obs.existing(missing, within=DAY)
    if missing and missing == users.keys():
        yield problem("rules", "no metric of any rule arrived within a day: vmagent does not write to VictoriaMetrics")
        return
    for name in sorted(missing):
        yield problem("rules", f"{name} did not arrive within a day: {', '.join(users[name])} cannot fire")
    if not missing:
        yield Line(subject="rules", text=f"all {len(users)} metrics of {len(rules)} rules arrive")
