"""Helpers for the tests of dumps: a world whose settings switch them on, its store, its age key, and Jobs of it."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.names import DATABASE_BACKUP, NAMESPACE
from ops import stackfile
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.external.backup_store import ROOT_KEY, ROOT_KEY_ID, BackupStore
from rehearsal.external_authority import external_authority
from rehearsal.real_nodes.cluster_config import backup_store
from rehearsal.world.world import World
from tests.recipes import ROOT
from tests.rehearsal.operator import editable_copy
from tests.retry import eventually
from tools.cache import executable

JOB_SECONDS = 180


def identity(folder: Path) -> tuple[Path, str]:
    """A new age key: the file with the private one, and the public one."""
    text = subprocess.run([executable("age", "age-keygen")], capture_output=True, text=True, check=True).stdout
    file = folder / "age.key"
    file.write_text(text)
    (recipient,) = (line.split(": ")[1] for line in text.splitlines() if "public key" in line)
    return file, recipient


def project(folder: Path, recipient: str) -> Path:
    """A copy of the program whose settings switch dumps on."""
    editable_copy(folder)
    for name in ("images", "tools"):
        (folder / name).symlink_to(ROOT / name)
    value = {"bucket": "honeydue-backups", "at": "02:30", "recipient": recipient, "image": "1a2b3c4d5e"}
    stackfile.set_value(folder / "Pulumi.prod.yaml", "honeydue:backups", value)
    return folder


def store(world: World) -> BackupStore:
    """The object store of the world."""
    server = backup_store(world.layout, read_stack_settings(world.settings_file))
    assert server is not None
    return server


def operator_environment() -> Mapping[str, str]:
    """The variables of an operator with a key for the bucket. Go verifies the store with the rehearsal's authority."""
    return {
        "AWS_ACCESS_KEY_ID": ROOT_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "SSL_CERT_FILE": str(external_authority().files.certificate),
    }


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """The end of a Job, and the log of its last pod."""

    succeeded: bool
    log: str


def dump(world: World, name: str, **environment: str) -> JobResult:
    """Runs a Job of the CronJob with other variables, in one attempt."""
    start_dump(world, name, **environment)
    return result_of(world, name)


def start_dump(world: World, name: str, **environment: str) -> None:
    """Starts such a Job."""
    cron_job = world.kubectl_json("get", "cronjob", DATABASE_BACKUP, f"--namespace={NAMESPACE}")
    spec: dict[str, Any] = cron_job["spec"]["jobTemplate"]["spec"]
    spec["backoffLimit"] = 0
    (container,) = spec["template"]["spec"]["containers"]
    others = [variable for variable in container["env"] if variable["name"] not in environment]
    container["env"] = [*others, *({"name": name, "value": value} for name, value in environment.items())]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "controller": True, "name": DATABASE_BACKUP}
    owner["uid"] = cron_job["metadata"]["uid"]
    metadata = {"name": name, "namespace": NAMESPACE, "ownerReferences": [owner]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
    world.kubectl("create", "--filename=-", stdin=json.dumps(job))


def result_of(world: World, name: str) -> JobResult:
    """Waits for the end of a Job."""

    def ended() -> bool:
        job = world.kubectl_json("get", "job", name, f"--namespace={NAMESPACE}")
        conditions = {item["type"]: item["status"] for item in job["status"].get("conditions", [])}
        assert "True" in (conditions.get("Complete"), conditions.get("Failed")), job["status"]
        return conditions.get("Complete") == "True"

    succeeded = eventually(ended, seconds=JOB_SECONDS)
    log = world.kubectl("logs", f"job/{name}", f"--namespace={NAMESPACE}", "--tail=40")
    return JobResult(succeeded=succeeded, log=log)
