"""The configuration of Alertmanager: who gets which alert, and what the mail says.

https://prometheus.io/docs/alerting/latest/configuration/
"""

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from infra.monitoring.rules.model import FOLLOWS, NODE_DOWN, NODE_IN_MAINTENANCE
from infra.monitoring.rules.monitoring import WATCHDOG

OPERATOR, HEARTBEAT, NO_RECEIVER = "operator", "heartbeat", "none"
"""The receivers. The last one sends nothing."""
IMPLICIT_TLS = "465"
"""The port of SMTP on which TLS begins with the connection (RFC 8314). On all others, STARTTLS begins it."""

SUBJECT = (
    '{{ if eq .Status "firing" }}{{ .CommonLabels.severity | toUpper }}: '
    "{{ (index .Alerts.Firing 0).Annotations.summary }}"
    "{{ else }}Resolved: {{ (index .Alerts.Resolved 0).Annotations.summary }}{{ end }}"
    "{{ if gt (len .Alerts) 1 }} ({{ len .Alerts }} alerts){{ end }}"
)
TEXT = """\
{{ range .Alerts.Firing }}{{ .Annotations.summary }}
What to do: {{ .Annotations.runbook }}
Since: {{ .StartsAt.UTC.Format "2006-01-02 15:04 MST" }}
{{ range .Labels.SortedPairs }}  {{ .Name }}: {{ .Value }}
{{ end }}
{{ end }}{{ range .Alerts.Resolved }}Resolved: {{ .Annotations.summary }}
From {{ .StartsAt.UTC.Format "2006-01-02 15:04 MST" }} to {{ .EndsAt.UTC.Format "15:04 MST" }}

{{ end }}Silence: docs/monitoring.md#silence-an-alert
"""


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """The mail server of the apps."""

    host: str
    port: str
    user: str
    password: str


def route() -> Mapping[str, object]:
    """Alerts of one name are one mail. A warning waits for others, and is repeated daily while it fires.

    The two Alertmanagers send one after the other, fifteen seconds apart, unless the first one has sent. A node that is
    down is found within two minutes, so the mail is there within three.
    """
    return {
        "receiver": OPERATOR,
        "group_by": ["alertname"],
        "group_wait": "1m",
        "group_interval": "5m",
        "repeat_interval": "24h",
        "routes": [
            {
                "receiver": HEARTBEAT,
                "matchers": [f'alertname="{WATCHDOG}"'],
                "group_wait": "0s",
                "group_interval": "30s",
                # Shorter than two group intervals, so that each minute has a request.
                "repeat_interval": "50s",
            },
            {"receiver": NO_RECEIVER, "matchers": ['severity="none"']},
            {
                "receiver": OPERATOR,
                "matchers": ['severity="critical"'],
                "group_wait": "10s",
                "group_interval": "1m",
                "repeat_interval": "12h",
            },
        ],
    }


def inhibit_rules() -> list[Mapping[str, object]]:
    """Alerts that follow from another one send no mail."""

    def inhibit(source: str, *targets: str, equal: list[str] | None = None) -> Mapping[str, object]:
        rule: dict[str, object] = {"source_matchers": [f'alertname="{source}"'], "target_matchers": list(targets)}
        return rule | ({"equal": equal} if equal else {})

    return [
        inhibit(NODE_IN_MAINTENANCE, f'alertname="{NODE_DOWN}"', equal=["node"]),
        *(
            rule
            for source in (NODE_DOWN, NODE_IN_MAINTENANCE)
            for rule in (inhibit(source, f'{FOLLOWS}="node"', equal=["node"]), inhibit(source, f'{FOLLOWS}="cluster"'))
        ),
        inhibit("NoMetrics", f'{FOLLOWS}="cluster"'),
        inhibit("ContainerOutOfMemory", 'alertname="ContainerRestarts"', equal=["namespace", "pod", "container"]),
        inhibit("RedisEvictsKeys", 'alertname="RedisMemoryHigh"'),
        inhibit("EtcdWithoutLeader", 'alertname="EtcdRequestsFail"'),
    ]


def configuration(
    mail: MailServer, *, cluster: str, recipient: str, webhook_url: str | None, heartbeat_url: str | None
) -> str:
    """The configuration file, in YAML. It contains the password and both URLs, which are secret."""
    operator: dict[str, object] = {
        "name": OPERATOR,
        "email_configs": [
            {
                "to": recipient,
                "from": mail.user,
                "smarthost": f"{mail.host}:{mail.port}",
                "auth_username": mail.user,
                "auth_password": mail.password,
                # With implicit TLS, the server offers no STARTTLS, and Alertmanager would refuse to send.
                "require_tls": mail.port != IMPLICIT_TLS,
                "send_resolved": True,
                "headers": {"Subject": f"[{cluster}] {SUBJECT}"},
                "html": "",
                "text": TEXT,
            }
        ],
    }
    if webhook_url is not None:
        operator["webhook_configs"] = [{"url": webhook_url, "send_resolved": True}]
    heartbeat: dict[str, object] = {"name": HEARTBEAT}
    if heartbeat_url is not None:
        heartbeat["webhook_configs"] = [{"url": heartbeat_url, "send_resolved": False}]
    return yaml.safe_dump(
        {
            "route": route(),
            "inhibit_rules": inhibit_rules(),
            "receivers": [operator, heartbeat, {"name": NO_RECEIVER}],
        },
        sort_keys=False,
        width=120,
    )
