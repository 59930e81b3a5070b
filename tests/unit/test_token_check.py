"""A token that is wrong or lacks a right is reported by that right, before a command changes anything."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import cli
from ops.engine.stack import Settings
from ops.permissions import ALL, EDIT, READ, UP, UPTIME, WORKER_SCRIPTS
from ops.token_check import REFUSED_CHANGES, REFUSED_CHANGES_OF_ACCOUNT, TokenErrors, check_tokens
from rehearsal.clouds.account import Token, read_account, write_account
from rehearsal.clouds.cloudflare.worker_triggers import NO_SUBDOMAIN
from rehearsal.clouds.store import Store
from tests.recipes import ROOT
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, HETZNER_TOKEN, ZONE, account, requests, served, state
from tests.unit.fake_engine import fake_engine, plan

SETTINGS = {"domain": ZONE, "cloudflareToken": CLOUDFLARE_TOKEN, "hetznerToken": HETZNER_TOKEN}
EDITED = [group for group, level in UP.items() if level == EDIT]
COMMANDS = {
    "up": ["up", "--stack", "prod", "--yes"],
    "release": ["release", "--stack", "prod", "--yes", "--api", "0a1b2c3d4e"],
    "adopt": ["adopt", "--stack", "prod", "--yes"],
}


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "clouds"
    account(folder)
    with served(folder) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield folder


def grant(clouds: Path, *, cloudflare: Sequence[str] | None = None, hetzner: Sequence[str] = ("read", "write")) -> None:
    """Gives the tokens these rights. None: all that the program asks for."""
    groups = [f"{group}:{level}" for group, level in ALL.items()] if cloudflare is None else cloudflare
    tokens = [Token("cloudflare", CLOUDFLARE_TOKEN, groups), Token("hetzner", HETZNER_TOKEN, hetzner)]
    write_account(clouds, replace(read_account(clouds), tokens=tokens))


def groups_without(missing: str, *others: str) -> Sequence[str]:
    return [*(f"{group}:{level}" for group, level in UP.items() if group != missing), *others]


def test_tokens_with_all_rights_cost_five_requests_and_change_nothing(clouds: Path) -> None:
    grant(clouds)
    before = [state(clouds, vendor).collections for vendor in ("cloudflare", "hetzner")]
    assert check_tokens(SETTINGS) == TokenErrors()
    assert len(requests(clouds)) == 5
    assert [state(clouds, vendor).collections for vendor in ("cloudflare", "hetzner")] == before


@pytest.mark.parametrize("level", [None, READ])
@pytest.mark.parametrize("group", EDITED)
def test_each_right_to_edit_is_named_if_the_token_lacks_it(clouds: Path, group: str, level: str | None) -> None:
    grant(clouds, cloudflare=groups_without(group, *([f"{group}:{level}"] if level else [])))
    errors = check_tokens(SETTINGS)
    assert errors.rejected == []
    (message,) = errors.cannot_change
    assert message.startswith(
        f"honeydue:cloudflareToken lacks {group}: Edit for zone {ZONE}. The token needs Zone: Read"
    )
    assert "pulumi config set --secret honeydue:cloudflareToken" in message


def test_every_group_that_an_up_edits_is_checked() -> None:
    assert list(REFUSED_CHANGES) == EDITED
    assert list(REFUSED_CHANGES_OF_ACCOUNT) == list(UPTIME)


UPTIME_SETTINGS: Settings = {**SETTINGS, "uptime": {"webhook": True}}


def test_the_right_of_the_uptime_worker_is_only_needed_while_it_is_on(clouds: Path) -> None:
    grant(clouds)
    assert check_tokens(SETTINGS) == TokenErrors()
    (message,) = check_tokens(UPTIME_SETTINGS).cannot_change
    assert message.startswith(
        "honeydue:cloudflareToken lacks Workers Scripts: Edit for account honeyDue, which honeydue:"
    )
    assert "Workers Scripts: Edit" in message.partition("The token needs")[2]
    assert "pulumi config rm honeydue:uptime" in message
    assert "pulumi config set --secret honeydue:cloudflareToken" in message


def test_a_token_with_the_right_creates_no_script(clouds: Path) -> None:
    grant(clouds, cloudflare=groups_without("", f"{WORKER_SCRIPTS}:{EDIT}"))
    before = state(clouds, "cloudflare").collections
    assert check_tokens(UPTIME_SETTINGS) == TokenErrors()
    assert state(clouds, "cloudflare").collections == before


def test_an_account_without_a_subdomain_for_workers_is_named(clouds: Path) -> None:
    grant(clouds, cloudflare=groups_without("", f"{WORKER_SCRIPTS}:{EDIT}"))
    with Store(clouds / "cloudflare.json").transaction() as stored:
        stored.of(NO_SUBDOMAIN)["account"] = {}
    (message,) = check_tokens(UPTIME_SETTINGS).cannot_change
    assert message.startswith("honeydue:uptime needs a subdomain of workers.dev, which account honeyDue does not have")


def test_a_token_of_another_zone_or_without_zone_read_is_rejected(clouds: Path) -> None:
    grant(clouds, cloudflare=groups_without("Zone"))
    (message,) = check_tokens(SETTINGS).rejected
    assert message.startswith(f"honeydue:cloudflareToken lacks Zone: Read for zone {ZONE}, or the zone is not one of")
    grant(clouds)
    (message,) = check_tokens({**SETTINGS, "domain": "other.com"}).rejected
    assert "lacks Zone: Read for zone other.com" in message


def test_unknown_tokens_are_rejected_without_being_printed(clouds: Path) -> None:
    grant(clouds)
    errors = check_tokens({**SETTINGS, "cloudflareToken": "wrong-one", "hetznerToken": "wrong-two"})
    hetzner, cloudflare = errors.rejected
    assert hetzner.startswith("honeydue:hetznerToken is rejected by Hetzner (unable to authenticate). Create a token")
    assert cloudflare.startswith("honeydue:cloudflareToken is rejected by Cloudflare (Invalid access token). The token")
    assert "wrong-" not in f"{hetzner}{cloudflare}"
    assert errors.cannot_change == []


def test_a_token_of_hetzner_that_may_only_read_is_named(clouds: Path) -> None:
    grant(clouds, hetzner=("read",))
    (message,) = check_tokens(SETTINGS).cannot_change
    assert message.startswith("honeydue:hetznerToken may only read. Create a token with Read & Write")


def test_an_api_that_is_unreachable_or_fails_is_left_to_the_engine(
    clouds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clouds / "faults.json").write_text('[{"vendor": "cloudflare", "method": "GET", "path": ".*", "status": 503}]')
    assert check_tokens(SETTINGS) == TokenErrors()
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", "http://127.0.0.1:9/client/v4")
    monkeypatch.setenv("HCLOUD_ENDPOINT", "http://127.0.0.1:9/v1")
    assert check_tokens(SETTINGS) == TokenErrors()
    assert check_tokens({}) == TokenErrors()


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, command: Sequence[str], *, error: str = "") -> Result:
    """Runs a command with an engine that returns a plan, or this error."""
    settings_file = folder / "Pulumi.prod.yaml"
    settings_file.write_text('config:\n  honeydue:images: {api: "1", worker: "1", admin: "1", web: "1"}\n')
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(settings_file))
    with fake_engine(folder, monkeypatch, plan=plan("update", error=error), settings=SETTINGS) as calls:
        result = CliRunner().invoke(cli, command)
        assert not calls.exists() or "up --stack" not in calls.read_text()
    assert "0a1b2c3d4e" not in settings_file.read_text()
    return result


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_change_something_refuse_narrow_tokens(
    clouds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    grant(clouds, cloudflare=groups_without("DNS"), hetzner=("read",))
    result = run(tmp_path, monkeypatch, COMMANDS[command])
    assert result.exit_code == 1
    assert f"honeydue:cloudflareToken lacks DNS: Edit for zone {ZONE}" in result.output
    assert "honeydue:hetznerToken may only read" in result.output


@pytest.mark.parametrize("command", [*COMMANDS, "preview"])
def test_every_command_names_the_missing_right_instead_of_the_error_of_the_engine(
    clouds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    grant(clouds, cloudflare=groups_without("Zone"))
    arguments = COMMANDS.get(command, ["preview", "--stack", "prod"])
    result = run(tmp_path, monkeypatch, arguments, error="getZone returned no zone")
    assert result.exit_code == 1
    assert f"honeydue:cloudflareToken lacks Zone: Read for zone {ZONE}" in result.output
    assert "getZone" not in result.output


def test_a_preview_needs_no_right_to_edit_and_names_what_an_up_would_lack(
    clouds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(clouds, cloudflare=[f"{group}:{READ}" for group in ALL], hetzner=("read",))
    result = run(tmp_path, monkeypatch, ["preview", "--stack", "prod"])
    assert result.exit_code == 0, result.output
    rights = "DNS: Edit, Zone Settings: Edit, SSL and Certificates: Edit"
    assert f"make up would be refused: honeydue:cloudflareToken lacks {rights} for zone {ZONE}" in result.output
    assert "make up would be refused: honeydue:hetznerToken may only read" in result.output


def test_the_description_of_the_setting_names_the_permissions_of_an_up() -> None:
    (description,) = [
        line for line in (ROOT / "Pulumi.yaml").read_text().splitlines() if "Cloudflare API token of the zone" in line
    ]
    for group, level in UP.items():
        assert group in description.partition(level)[2]
