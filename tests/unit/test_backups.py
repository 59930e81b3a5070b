"""The dumps of the database: what is declared with which settings, and what the pods may do."""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.settings.loading import SettingsError
from tests.unit.capture import Capture, full_settings, run
from tests.unit.placeholders import PLACEHOLDER

SETTING = "honeydue:backups"
SETTINGS: Mapping[str, Any] = full_settings()
BACKUPS: Mapping[str, Any] = SETTINGS[SETTING]
DUMP, DRILL = "database-backup", "restore-drill"


def spec(program: Capture, name: str) -> Mapping[str, Any]:
    return program.resource("CronJob", name).inputs["spec"]  # type: ignore[no-any-return]


def pod(program: Capture, name: str) -> Mapping[str, Any]:
    return spec(program, name)["jobTemplate"]["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def container(program: Capture, name: str) -> Mapping[str, Any]:
    (only,) = pod(program, name)["containers"]
    return only  # type: ignore[no-any-return]


def errors_of(changes: Mapping[str, object], *, without: str = "") -> list[str]:
    settings = {**SETTINGS, **changes}
    settings.pop(f"honeydue:{without}", None)
    with pytest.raises(SettingsError) as error:
        run(settings)
    return str(error.value).splitlines()[1:]


def test_without_the_setting_nothing_is_declared(example: Capture) -> None:
    assert SETTING not in example.settings
    assert [entry.urn for entry in example.registrations if entry.kind == "CronJob" or "ackup" in entry.urn] == []


def test_a_dump_runs_every_day_and_never_twice_at_once(full_example: Capture) -> None:
    dump = spec(full_example, DUMP)
    assert (dump["schedule"], dump["timeZone"], dump["suspend"]) == ("30 2 * * *", "Etc/UTC", False)
    assert dump["concurrencyPolicy"] == "Forbid"
    job = dump["jobTemplate"]["spec"]
    assert (job["activeDeadlineSeconds"], job["backoffLimit"]) == (3 * 3600, 2)
    assert (dump["successfulJobsHistoryLimit"], dump["failedJobsHistoryLimit"]) == (3, 3)


@pytest.mark.parametrize("name", [DUMP, DRILL])
def test_missed_starts_do_not_stop_a_cron_job(name: str, full_example: Capture) -> None:
    """The controller gives up after 100 missed starts within this time; a daily schedule has one."""
    assert 0 < spec(full_example, name)["startingDeadlineSeconds"] < 86_400


def test_a_drill_only_runs_on_request_and_leaves_no_job(full_example: Capture) -> None:
    drill = spec(full_example, DRILL)
    assert drill["suspend"] is True
    assert (drill["successfulJobsHistoryLimit"], drill["failedJobsHistoryLimit"]) == (0, 0)
    assert drill["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_the_dump_uses_the_direct_host_and_its_own_key(full_example: Capture) -> None:
    only = container(full_example, DUMP)
    environment = {variable["name"]: variable for variable in only["env"]}
    assert environment["PGHOST"]["valueFrom"]["configMapKeyRef"]["key"] == "DB_DIRECT_HOST"
    assert {name: environment[name]["value"] for name in environment if name.startswith("BACKUP_")} == {
        "BACKUP_BUCKET": "honeydue-backups",
        "BACKUP_ENDPOINT": SETTINGS["honeydue:environment"]["B2_ENDPOINT"],
        "BACKUP_REGION": SETTINGS["honeydue:environment"]["B2_REGION"],
        "BACKUP_RECIPIENT": BACKUPS["recipient"],
        "BACKUP_MINIMUM_PERCENT": "50",
    }
    assert only["envFrom"] == [{"secretRef": {"name": DUMP}}]
    secret = full_example.resource("Secret", DUMP).inputs["stringData"]
    assert secret == {
        "AWS_ACCESS_KEY_ID": f"{PLACEHOLDER}backupKeyId",
        "AWS_SECRET_ACCESS_KEY": f"{PLACEHOLDER}backupApplicationKey",
    }


def test_libpq_verifies_the_server_only_in_the_mode_that_asks_for_it(full_example: Capture) -> None:
    database = {**SETTINGS["honeydue:database"], "sslMode": "verify-full"}
    verifying = run({**SETTINGS, "honeydue:database": database})
    names = [
        {variable["name"] for variable in container(program, DUMP)["env"]} for program in (full_example, verifying)
    ]
    assert names[1] - names[0] == {"PGSSLROOTCERT"}


def test_the_drill_has_no_secret_and_no_network(full_example: Capture) -> None:
    only = container(full_example, DRILL)
    assert "envFrom" not in only
    assert all("valueFrom" not in variable for variable in only["env"])
    assert full_example.resource("NetworkPolicy", DRILL).inputs["spec"].get("egress") in ([], None)
    assert full_example.resource("NetworkPolicy", DRILL).inputs["spec"].get("ingress") in ([], None)


def test_the_dump_connects_to_the_database_and_to_the_store(full_example: Capture) -> None:
    egress = full_example.resource("NetworkPolicy", DUMP).inputs["spec"]["egress"]
    assert [rule["ports"][0]["port"] for rule in egress] == [53, 5432, 443]


@pytest.mark.parametrize("name", [DUMP, DRILL])
def test_both_pods_are_restricted(name: str, full_example: Capture) -> None:
    template, only = pod(full_example, name), container(full_example, name)
    assert only["image"] == f"{SETTINGS['honeydue:images']['registry']}/honeydue-backup:{BACKUPS['image']}"
    assert (template["automountServiceAccountToken"], template["restartPolicy"]) == (False, "Never")
    assert template["securityContext"]["runAsNonRoot"] is True
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_scratch_server_has_the_disk_of_the_settings() -> None:
    program = run({**SETTINGS, SETTING: {**BACKUPS, "drill": {"diskMi": 10_240}}})
    (volume,) = pod(program, DRILL)["volumes"]
    assert volume["emptyDir"]["sizeLimit"] == "10Gi"
    assert container(program, DRILL)["resources"]["limits"]["ephemeral-storage"] == f"{10_240 + 64}Mi"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bucket": "honeyDueProd"}, "bucket honeyDueProd is that of the uploads"),
        ({"bucket": "honeyDueSnapshots"}, "bucket honeyDueSnapshots is that of the snapshots"),
        ({"at": "2:30"}, "honeydue:backups.at holds '2:30': a time of day"),
        ({"keep": 29}, "honeydue:backups.keep holds 29: at least 30"),
        ({"recipient": "ssh-ed25519 AAAA"}, "an age public key, which age-keygen prints"),
        ({"image": "latest"}, 'an image tag other than "latest"'),
        ({"minimumPercent": 101}, "honeydue:backups.minimumPercent holds 101: at most 100"),
        ({"drill": "cluster"}, "honeydue:backups.drill holds 'cluster': no drill runs in the cluster: it would need"),
        ({"drill": {"days": 0}}, "honeydue:backups.drill.days holds 0: at least 1"),
        ({"retention": 3}, "honeydue:backups.retention is not a setting"),
    ],
)
def test_a_wrong_setting_is_one_line(change: Mapping[str, object], expected: str) -> None:
    (line,) = errors_of({SETTING: {**BACKUPS, **change}})
    assert expected in line


@pytest.mark.parametrize("key", ["backupKeyId", "backupApplicationKey"])
def test_both_keys_are_required(key: str) -> None:
    (line,) = errors_of({}, without=key)
    assert f"honeydue:{key} is missing" in line
