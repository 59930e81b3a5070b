"""Alertmanager's own tool reads the configuration: who gets which alert, and what the mail says."""

import json
import subprocess
from pathlib import Path

import pytest

from infra.monitoring.alertmanager_config import SUBJECT, TEXT, MailServer, configuration, inhibit_rules
from tests.rules.test_rules import RULES
from tools.cache import executable

PASSWORD = "a: 'b\" {{c}}"
URLS = {"webhook_url": "https://hooks.example.com/1", "heartbeat_url": "https://hooks.example.com/2"}
ALERT = {"labels": {"node": "a"}, "annotations": {"summary": "The node a is down.", "runbook": "runbook.md#a"}}
FIRING = {**ALERT, "status": "firing", "startsAt": "2026-01-01T01:00:00Z", "endsAt": "2026-01-01T02:00:00Z"}
RESOLVED = {**FIRING, "status": "resolved", "annotations": {"summary": "The node b is down.", "runbook": ""}}


def amtool(*arguments: str) -> str:
    completed = subprocess.run([str(executable("amtool")), *arguments], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout.strip()


def config_file(folder: Path, *, port: str = "587", **urls: str) -> Path:
    mail = MailServer(host="smtp.example.com", port=port, user="mail@example.com", password=PASSWORD)
    values: dict[str, str | None] = {"webhook_url": None, "heartbeat_url": None, **urls}
    text = configuration(
        mail,
        cluster="example.com",
        recipient="admin@example.com",
        webhook_url=values["webhook_url"],
        heartbeat_url=values["heartbeat_url"],
    )
    file = folder / "alertmanager.yml"
    file.write_text(text)
    return file


def rendered(folder: Path, template: str, *alerts: object, status: str = "firing") -> str:
    data = folder / "data.json"
    common = {"commonLabels": {"severity": "critical"}, "commonAnnotations": {}, "groupLabels": {}, "externalURL": ""}
    data.write_text(json.dumps({"receiver": "operator", "status": status, "alerts": alerts, **common}))
    (folder / "none.tmpl").write_text("")
    options = {"glob": folder / "none.tmpl", "text": template, "data": data}
    return amtool("template", "render", *(f"--template.{name}={value}" for name, value in options.items()))


@pytest.mark.parametrize("urls", [{}, URLS])
@pytest.mark.parametrize("port", ["587", "465"])
def test_the_configuration_is_valid(urls: dict[str, str], port: str, tmp_path: Path) -> None:
    assert "SUCCESS" in amtool("check-config", str(config_file(tmp_path, port=port, **urls)))


def test_another_configuration_is_not_valid(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    file.write_text(file.read_text().replace("group_wait", "group_waits"))
    with pytest.raises(AssertionError, match="group_waits not found"):
        amtool("check-config", str(file))


def test_every_alert_goes_to_its_receiver(tmp_path: Path) -> None:
    file = config_file(tmp_path, **URLS)
    for rule in RULES:
        labels = [f"{name}={value}" for name, value in {"alertname": rule.name, **rule.labels()}.items()]
        receiver = amtool("config", "routes", "test", f"--config.file={file}", *labels)
        expected = "heartbeat" if rule.name == "Watchdog" else "none" if rule.severity == "none" else "operator"
        assert receiver == expected, rule.name


def test_inhibit_rules_name_alerts_that_exist() -> None:
    matchers = [
        matcher
        for rule in inhibit_rules()
        for key, value in rule.items()
        if key != "equal"
        for matcher in list(value)  # type: ignore[call-overload]
    ]
    assert {matcher.split('"')[1] for matcher in matchers if matcher.startswith("alertname")} <= {
        rule.name for rule in RULES
    }


def test_the_subject_names_the_first_alert(tmp_path: Path) -> None:
    assert rendered(tmp_path, SUBJECT, FIRING) == "CRITICAL: The node a is down."
    assert rendered(tmp_path, SUBJECT, RESOLVED, FIRING) == "CRITICAL: The node a is down. (2 alerts)"
    assert rendered(tmp_path, SUBJECT, RESOLVED, status="resolved") == "Resolved: The node b is down."


def test_the_mail_links_to_the_runbook(tmp_path: Path) -> None:
    text = rendered(tmp_path, TEXT, FIRING, RESOLVED)
    assert text.startswith("The node a is down.\nWhat to do: runbook.md#a\nSince: 2026-01-01 01:00 UTC\n  node: a\n")
    assert "Resolved: The node b is down.\nFrom 2026-01-01 01:00 UTC to 02:00 UTC\n" in text
