"""`make drift`: the cron trigger of a Worker, which the provider does not refresh."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from infra.edge.uptime.durable_object import create_class
from infra.names import UPTIME_SCRIPT
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.cron_triggers import changed_cron_triggers
from ops.drift.rows import DriftRow
from ops.plan import State
from ops.resource_types import CRON_TRIGGER
from rehearsal.clouds.account import Token, read_account, write_account
from rehearsal.clouds.cloudflare.zones import ACCOUNT
from rehearsal.clouds.store import Store
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, account, served
from tests.unit.plans import state
from tests.unit.test_uptime_class import INPUTS

DECLARED = "* * * * *"


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    account(tmp_path)
    with served(tmp_path) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        create_class(INPUTS, CLOUDFLARE_TOKEN)
        yield tmp_path


def check(clouds: Path, *actual: str) -> tuple[Sequence[DriftRow], Sequence[str]]:
    """The drift if the script has these cron triggers."""
    with Store(clouds / "cloudflare.json").transaction() as stored:
        stored.of("worker_scripts")[UPTIME_SCRIPT]["schedules"] = [{"cron": cron} for cron in actual]
    inputs = {"accountId": ACCOUNT["id"], "scriptName": UPTIME_SCRIPT, "schedules": [{"cron": DECLARED}]}
    trigger = State.model_validate(state(CRON_TRIGGER, "uptime", inputs=inputs))
    return changed_cron_triggers(Cloudflare(CLOUDFLARE_TOKEN), [trigger])


def test_the_declared_cron_trigger_is_no_drift(clouds: Path) -> None:
    assert check(clouds, DECLARED) == ([], [])


@pytest.mark.parametrize(("actual", "shown"), [([], "missing"), (["0 * * * *"], ["0 * * * *"])])
def test_another_or_no_cron_trigger_is_drift(clouds: Path, actual: Sequence[str], shown: object) -> None:
    ((row,), unread) = check(clouds, *actual)
    assert (row.resource, row.property) == ("WorkersCronTrigger::uptime", "schedules")
    assert (row.declared, row.actual) == ([DECLARED], shown)
    assert unread == []


def test_a_missing_permission_is_named(clouds: Path) -> None:
    tokens = [Token("cloudflare", CLOUDFLARE_TOKEN, ["Zone:Read"])]
    write_account(clouds, replace(read_account(clouds), tokens=tokens))
    assert check(clouds, "0 * * * *") == ([], ["cron triggers (permission Workers Scripts: Read)"])


def test_a_stack_without_a_worker_sends_no_request() -> None:
    assert changed_cron_triggers(Cloudflare("no token"), []) == ([], [])
