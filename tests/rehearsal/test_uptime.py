"""The uptime Worker with the real engine: created once, updated, compared with the cloud, and deleted again.

The tests build on one another, in this order.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from infra.edge.uptime.durable_object import STATE_CLASS
from infra.edge.uptime.worker import SCRIPT
from infra.names import UPTIME_SCRIPT
from ops.permissions import EDIT, WORKER_SCRIPTS
from rehearsal.clouds.account import read_account, write_account
from rehearsal.clouds.store import Store
from rehearsal.world.world import World
from tests.rehearsal.clouds import cloud_resources
from tests.rehearsal.operator import ops
from tests.rehearsal.test_drift import check_drift

RIGHT = f"{WORKER_SCRIPTS}:{EDIT}"
WEBHOOK = "https://hooks.example.com/uptime-webhook-of-a-test"
CRON_TRIGGER = "WorkersCronTrigger::uptime"
RESOURCES = (
    *("WorkersScript::uptime", CRON_TRIGGER, "WorkersScriptSubdomain::uptime"),
    "RandomPassword::uptime-status-token",
)


def script(world: World) -> Mapping[str, Any]:
    return cloud_resources(world)["worker_scripts"][UPTIME_SCRIPT]


def up(world: World, *more: str) -> str:
    completed = ops(world, "up", "--stack", "prod", "--yes", *more)
    assert completed.returncode == 0, completed.stdout
    return completed.stdout


def test_a_missing_right_is_named_before_anything_changes(production: World) -> None:
    account = read_account(production.layout.clouds)
    limited = [replace(token, rights=[right for right in token.rights if right != RIGHT]) for token in account.tokens]
    assert limited != list(account.tokens)
    production.set_config("honeydue:uptime", {"webhook": True})
    production.pulumi("config", "set", "--secret", "honeydue:uptimeWebhookUrl", WEBHOOK)
    before = cloud_resources(production)
    write_account(production.layout.clouds, replace(account, tokens=limited))
    refused = ops(production, "up", "--stack", "prod", "--yes")
    write_account(production.layout.clouds, account)
    assert refused.returncode != 0
    assert "honeydue:cloudflareToken lacks Workers Scripts: Edit for account honeyDue" in refused.stdout
    assert cloud_resources(production) == before


def test_the_worker_is_created_and_a_second_preview_is_empty(production: World) -> None:
    up(production)
    assert script(production)["content"] == SCRIPT.read_text()
    assert [schedule["cron"] for schedule in script(production)["schedules"]] == ["* * * * *"]
    assert script(production)["subdomain"] == {"enabled": True, "previews_enabled": False}
    assert {binding["name"] for binding in script(production)["bindings"]} == {
        *("STATE", "CONFIG", "WEBHOOK_URL", "STATUS_TOKEN"),
    }
    production.pulumi("preview", "--expect-no-changes")
    production.pulumi("preview", "--refresh", "--expect-no-changes")


def test_no_secret_of_the_worker_is_in_the_output_or_in_the_log_of_requests(production: World) -> None:
    token = production.pulumi("stack", "output", "uptimeStatusToken", "--show-secrets").stdout.strip()
    assert len(token) > 40
    texts = production.pulumi("preview", "--diff", "--refresh").stdout + production.pulumi("stack", "export").stdout
    texts += "".join(file.read_text() for file in production.layout.backend.rglob("*.json"))
    texts += (production.layout.clouds / "requests.jsonl").read_text()
    assert [secret for secret in (WEBHOOK, token) if secret in texts] == []


def test_other_settings_are_uploaded_and_the_state_of_the_worker_stays(production: World) -> None:
    """Cloudflare would refuse the upload if it contained the migration again."""
    namespaces = script(production)["namespaces"]
    assert list(namespaces) == [STATE_CLASS]
    production.set_config("honeydue:uptime", {"webhook": True, "failures": 5})
    up(production)
    (config,) = [binding["json"] for binding in script(production)["bindings"] if binding["name"] == "CONFIG"]
    assert config["failures"] == 5
    assert script(production)["namespaces"] == namespaces
    production.pulumi("preview", "--expect-no-changes")


def test_a_script_that_was_changed_by_hand_is_drift(production: World, tmp_path: Path) -> None:
    with Store(production.layout.clouds / "cloudflare.json").transaction() as state:
        changed = state.of("worker_scripts")[UPTIME_SCRIPT]
        changed["content"] = f"export class {STATE_CLASS} {{}}\n"
        changed["schedules"] = []
    drift = check_drift(production, tmp_path)
    assert drift.exit_code == 2, drift.output
    assert drift.rows.keys() == {("WorkersScript::uptime", "content"), ("WorkersCronTrigger::uptime", "schedules")}
    assert drift.rows["WorkersCronTrigger::uptime", "schedules"] == ("* * * * *", "missing")
    up(production, "--refresh")
    assert script(production)["content"] == SCRIPT.read_text()
    # The provider does not compare the schedules, so that the `up` does not change them back.
    up(production, "--replace", CRON_TRIGGER, "--allow-delete", CRON_TRIGGER)
    assert check_drift(production, tmp_path).exit_code == 0


def test_a_worker_that_was_deleted_by_hand_is_created_again(production: World) -> None:
    with Store(production.layout.clouds / "cloudflare.json").transaction() as state:
        del state.of("worker_scripts")[UPTIME_SCRIPT]
    up(production, "--refresh")
    assert list(script(production)["namespaces"]) == [STATE_CLASS]
    # The provider does not refresh the cron trigger, so that only its replacement creates it again (docs/uptime.md).
    assert script(production)["schedules"] == []
    up(production, "--replace", CRON_TRIGGER, "--allow-delete", CRON_TRIGGER)
    assert [schedule["cron"] for schedule in script(production)["schedules"]] == ["* * * * *"]
    production.pulumi("preview", "--refresh", "--expect-no-changes")


def test_a_confirmed_deletion_leaves_nothing(production: World) -> None:
    production.pulumi("config", "rm", "honeydue:uptime")
    refused = ops(production, "up", "--stack", "prod", "--yes")
    assert refused.returncode != 0
    assert all(resource in refused.stdout for resource in RESOURCES), refused.stdout
    up(production, *(argument for resource in RESOURCES for argument in ("--allow-delete", resource)))
    assert UPTIME_SCRIPT not in cloud_resources(production).get("worker_scripts", {})
    production.pulumi("preview", "--expect-no-changes")
