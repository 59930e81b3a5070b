"""An alert rule, and the file that vmalert reads."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import yaml

Severity = Literal["critical", "warning", "none"]
"""critical: users notice it now. warning: they will if nobody acts within days. none: not for people."""
Scope = Literal["node", "cluster"]

RUNBOOK = "docs/runbook.md"
NODE_DOWN, NODE_IN_MAINTENANCE = "NodeDown", "NodeInMaintenance"
FOLLOWS = "follows"
"""The label of an alert that a dead node causes. Its value is a `Scope`: Alertmanager inhibits the alert while this
node, or any node, is down."""
INTERVAL_SECONDS = 60
EVAL_DELAY = "1m"
"""Rules read metrics of that long ago. A busy node sends metrics later than vmalert's default of 30 s. The two vmalerts
would compute different results: one would resolve an alert, and the other one would send it again."""


def anchor(heading: str) -> str:
    """The fragment with which Gitea and GitHub link to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An alert and the condition under which it fires.

    `expr` is MetricsQL. It must be true for `for_` before the alert fires, and untrue for `keep_firing_for` before the
    alert resolves. `exporter` is the scrape job that has the `series`, and `also` are other jobs that the rule needs:
    the rule is only rendered if all of them are scraped. `series` are the metrics of `expr` that exist in a healthy
    cluster; without them, the rule cannot fire. `events` are those that only exist after the first event.

    `summary` is a template of vmalert, one sentence in plain words. `runbook` is a heading of docs/runbook.md.
    `follows` is set on an alert that a dead node causes. `interval_seconds` is the time between two evaluations.
    """

    name: str
    expr: str
    for_: str
    severity: Severity
    exporter: str
    series: Sequence[str]
    summary: str
    runbook: str
    also: Sequence[str] = ()
    events: Sequence[str] = ()
    keep_firing_for: str | None = None
    follows: Scope | None = None
    interval_seconds: int = INTERVAL_SECONDS

    @property
    def exporters(self) -> Sequence[str]:
        return (self.exporter, *self.also)

    def labels(self) -> Mapping[str, str]:
        return {"severity": self.severity, **({FOLLOWS: self.follows} if self.follows else {})}

    def annotations(self, runbook_url: str) -> Mapping[str, str]:
        return {"summary": self.summary, "runbook": f"{runbook_url}#{anchor(self.runbook)}"}

    def document(self, runbook_url: str) -> Mapping[str, object]:
        """The rule in the format of vmalert."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.for_,
            **({"keep_firing_for": self.keep_firing_for} if self.keep_firing_for else {}),
            "labels": self.labels(),
            "annotations": self.annotations(runbook_url),
        }


def group(name: str, rules: Iterable[Rule], *, cluster: str, runbook_url: str, interval: int) -> Mapping[str, object]:
    """A group of rules that are evaluated together, every `interval` seconds. Those of a shorter one are more urgent.

    obs may have the metrics of other clusters. The parameter restricts every selector of an expression to this one.
    """
    return {
        "name": name,
        "interval": f"{interval}s",
        **({"eval_delay": EVAL_DELAY} if interval >= INTERVAL_SECONDS else {}),
        "params": {"extra_label": [f"cluster={cluster}"]},
        "rules": [rule.document(runbook_url) for rule in rules],
    }


def rules_file(rules: Sequence[Rule], *, cluster: str, runbook_url: str = RUNBOOK) -> str:
    """The file for vmalert, in YAML. Rules with the same interval are one group."""
    intervals = sorted({rule.interval_seconds for rule in rules})
    groups = [
        group(
            f"every-{interval}s",
            [rule for rule in rules if rule.interval_seconds == interval],
            cluster=cluster,
            runbook_url=runbook_url,
            interval=interval,
        )
        for interval in intervals
    ]
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=120)
