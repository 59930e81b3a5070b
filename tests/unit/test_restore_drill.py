"""`make restore-drill`: the dump that it selects, and that no error leaves a scratch server."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.names import NAMESPACE, RESTORE_DRILL
from ops import kubernetes
from ops.backups import scratch
from tests.recipes import ROOT
from tests.unit.fake_dumps import CONTENTS, TABLES, TIME, WRONG, Dumps, dumps
from tests.unit.stubs import write_stub

LATER, EARLIER = "20260201T023000Z", "20260130T023000Z"
KUBECTL = """
for last; do :; done
echo "$last" >> {folder}/commands
case "$last" in
create | finish) exit ;;
esac
export PGHOST={folder}/socket PGDATABASE=drill PYTHONPATH={checkout}
exec {python} -m images.backup "$last"
"""


NOT_FOUND = """
for argument; do case "$argument" in restore-drill-*) pod=$argument ;; esac; done
echo "Error from server (NotFound): pods \\"$pod\\" not found" >&2
exit 1
"""


class FakeCluster(kubernetes.Cluster):
    """A cluster that starts a pod for each Job, unless `phase` is another one."""

    def __init__(self, *, cron_job: bool = True, phase: str = "Running", last: str = "2100-01-01T00:00:00Z") -> None:
        super().__init__(None, "")
        self.cron_job, self.phase, self.last = cron_job, phase, last
        self.jobs: dict[str, Mapping[str, Any]] = {}
        self.created: list[Mapping[str, Any]] = []

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> kubernetes.Object | None:  # noqa: ARG002
        if kind == "Job":
            return self.jobs.get(name)
        template = {"metadata": {"labels": {"app.kubernetes.io/name": name}}, "spec": {"backoffLimit": 0}}
        live = {
            "metadata": {"name": name, "namespace": namespace, "uid": "uid"},
            "spec": {"jobTemplate": template},
            "status": {"lastSuccessfulTime": self.last},
        }
        return live if self.cron_job else None

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[kubernetes.Object]:  # noqa: ARG002
        return [
            {
                "metadata": {"name": f"{job}-1", "labels": {"batch.kubernetes.io/job-name": job}},
                "status": {"phase": self.phase},
            }
            for job in self.jobs
        ]

    def create(self, content: kubernetes.Object) -> kubernetes.Object:
        self.created.append(content)
        self.jobs[content["metadata"]["name"]] = content
        return content

    def delete(
        self,
        api_version: str,  # noqa: ARG002
        kind: str,  # noqa: ARG002
        live: kubernetes.Object,
        *,
        propagation: str | None = None,
    ) -> None:
        assert propagation == "Background"
        del self.jobs[live["metadata"]["name"]]


class Drill:
    """The command, with a cluster and a bucket."""

    def __init__(self, bucket: Dumps, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bucket, self.cluster = bucket, FakeCluster()

        @contextmanager
        def connect(*_: object) -> Iterator[kubernetes.Cluster]:
            yield self.cluster

        monkeypatch.setattr(kubernetes.Cluster, "connect", connect)
        for name in ("START_SECONDS", "RECORD_SECONDS", "DELETION_SECONDS"):
            monkeypatch.setattr(scratch, name, 0.05)
        monkeypatch.setattr("ops.wait.POLL_SECONDS", 0.05)

    def arguments(self, *others: str, key: str = "") -> list[str]:
        identity = self.bucket.identity(key) if key else self.bucket.identity()
        return ["restore-drill", "--identity", str(identity), *others]

    def error(self, *others: str, key: str = "") -> str:
        """A drill that fails, and leaves nothing."""
        message = self.bucket.error(*self.arguments(*others, key=key))
        assert self.cluster.jobs == {}
        assert "finish" not in self.commands
        return message

    @property
    def commands(self) -> Sequence[str]:
        return (self.bucket.received("commands") or "").split()


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drill]:
    with dumps(tmp_path, monkeypatch) as bucket:
        kubectl = KUBECTL.format(folder=tmp_path, checkout=ROOT, python=sys.executable)
        write_stub(tmp_path / "bin", "kubectl", kubectl)
        yield Drill(bucket, monkeypatch)


def test_a_drill_compares_with_the_manifest_and_leaves_nothing(command: Drill) -> None:
    result = command.bucket.run(*command.arguments())
    assert result.exit_code == 0, result.output
    assert "The dump can be restored: 2 tables, 4 rows, schema version 2, as in its manifest, in " in result.output
    assert command.commands == ["create", "check-target", "restore", "check", "finish"]
    assert command.cluster.jobs == {}
    (job,) = command.cluster.created
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": RESTORE_DRILL, "uid": "uid", "controller": True}
    assert job["metadata"]["ownerReferences"] == [owner]
    assert job["metadata"]["namespace"] == NAMESPACE


def test_the_newest_complete_dump_is_selected(command: Drill) -> None:
    command.bucket.add(EARLIER)
    command.bucket.add(LATER, None)
    assert f"Restoring {TIME} " in command.bucket.run(*command.arguments()).output
    assert f"Restoring {EARLIER} " in command.bucket.run(*command.arguments("--from", EARLIER)).output


def test_another_age_key_is_an_error(command: Drill, capfd: pytest.CaptureFixture[str]) -> None:
    assert command.error(key=WRONG) == "age ended with exit code 1 (see above)"
    output = capfd.readouterr().err
    assert "no identity matched" in output
    assert "Traceback" not in output


def test_a_difference_is_an_error(command: Drill) -> None:
    command.bucket.set_tables({**TABLES, "public.tasks": 0}, file="tables.of.the.dump")
    assert command.error().startswith("the database differs from the manifest:")


def test_a_bucket_without_a_complete_dump_is_an_error(command: Drill) -> None:
    (command.bucket.folder / "bucket" / f"{TIME}.manifest.json").unlink()
    command.bucket.list()
    assert command.error() == (
        "bucket honeydue-backups contains no complete dump: one without a manifest does not count"
    )
    assert command.cluster.created == []


@pytest.mark.parametrize(
    ("size", "expected"), [(5, "has 4 bytes, its manifest says 5: use another one of"), (4, "")], ids=["other", "same"]
)
def test_a_dump_of_another_size_is_not_restored(command: Drill, size: int, expected: str) -> None:
    command.bucket.add(TIME, replace(CONTENTS, bytes=size))
    if expected:
        assert expected in command.error()
    else:
        assert command.bucket.run(*command.arguments()).exit_code == 0


def test_an_unknown_time_lists_the_dumps(command: Drill) -> None:
    message = command.error("--from", LATER)
    assert message == f"bucket honeydue-backups has no complete dump {LATER}; its dumps: {TIME}"


def test_a_wrong_key_of_the_bucket_is_an_error(command: Drill) -> None:
    command.bucket.environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
    assert command.error() == "could not list the bucket: 403 SignatureDoesNotMatch"


def test_an_unreadable_manifest_is_an_error(command: Drill) -> None:
    (command.bucket.folder / "bucket" / f"{TIME}.manifest.json").write_text("{")
    assert command.error().startswith("the manifest cannot be read (JSONDecodeError")


def test_without_the_setting_there_is_no_bucket(command: Drill) -> None:
    del command.bucket.settings["backups"]
    assert command.error() == "honeydue:backups is not set, so there is no bucket with dumps (docs/backups.md)"


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (FakeCluster(cron_job=False), "CronJob restore-drill does not exist in honeydue: run make up first"),
        (FakeCluster(phase="Failed"), "the scratch server failed: kubectl -n honeydue describe job restore-drill-"),
        (FakeCluster(phase="Pending"), "the pod of the scratch server did not start within "),
    ],
)
def test_a_scratch_server_that_does_not_start_is_an_error(command: Drill, cluster: FakeCluster, expected: str) -> None:
    command.cluster = cluster
    assert command.error().startswith(expected)


class Evicting(FakeCluster):
    """A cluster whose pod is evicted after it was listed twice as running."""

    lists = 2

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[kubernetes.Object]:
        self.lists -= 1
        return super().list(api_version, kind, namespace) if self.lists >= 0 else []


def test_a_pod_that_disappears_is_an_error(command: Drill) -> None:
    command.cluster = Evicting()
    write_stub(command.bucket.folder / "bin", "kubectl", NOT_FOUND)
    assert command.error().startswith('Error from server (NotFound): pods "restore-drill-')


def test_a_success_that_is_not_recorded_is_an_error(command: Drill) -> None:
    command.cluster = FakeCluster(last="2020-01-01T00:00:00Z")
    message = command.bucket.error(*command.arguments())
    assert message.startswith("the drill succeeded, but CronJob restore-drill did not get its time")
    assert command.cluster.jobs == {}


def test_kubectl_is_required(command: Drill) -> None:
    command.bucket.environment["PATH"] = str(command.bucket.folder / "empty")
    assert command.error().startswith("kubectl is not on PATH: install kubectl")
