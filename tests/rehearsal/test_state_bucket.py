"""The state in a bucket of a real object store (docs/ci.md): encryption, the lock, and a read-only key."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.engine import pulumi
from rehearsal.engine.environment import environment as environment_of
from rehearsal.engine.installation import install
from rehearsal.external.object_store import ObjectStore
from rehearsal.layout import Layout
from rehearsal.processes import processes
from rehearsal.world import clouds
from tests.rehearsal.bucket import BUCKET, KEY, KEY_ID, REGION, environment, project, recording_store
from tests.rehearsal.runbook import Block, blocks

SECRET = "secret-value-of-a-test"
LOCK_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack whose state is in the bucket, and the folder of its program."""

    layout: Layout
    endpoint: str
    folder: Path

    def pulumi(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return pulumi.run(
            self.layout, arguments, project=self.folder, variables={**environment(self.layout, self.endpoint), **more}
        )

    def shell(self, block: Block, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs the commands of a page without confirmations."""
        variables = {**environment(self.layout, self.endpoint), "PULUMI_SKIP_CONFIRMATIONS": "true", **more}
        return subprocess.run(
            ["/bin/sh", "-euc", block.text],
            cwd=self.folder,
            env={**environment_of(self.layout), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return pulumi.start(
            self.layout, arguments, project=self.folder, variables=environment(self.layout, self.endpoint)
        )

    @property
    def bucket(self) -> Path:
        return self.layout.external_ca.parent / "data" / BUCKET

    @property
    def objects(self) -> dict[str, str]:
        """All objects of the bucket, by name."""
        files = self.bucket.rglob("*")
        return {str(file.relative_to(self.bucket)): file.read_text() for file in files if file.is_file()}

    def is_locked(self) -> bool:
        return any("/locks/" in name for name in self.objects)

    def allow_updates(self) -> None:
        """Lets every `up` of the program complete."""
        (self.folder / "open").touch()


def object_store(layout: Layout, *, read_only: bool = False) -> ObjectStore:
    return ObjectStore(layout, region=REGION, bucket=BUCKET, access_key=KEY_ID, secret_key=KEY, read_only=read_only)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is created with the commands of docs/ci.md, before its first `up`."""
    folder = tmp_path_factory.mktemp("state")
    layout = Layout(folder / "world")
    layout.make_folders()
    install(layout)
    try:
        clouds.wait(layout, clouds.start(layout))
        with object_store(layout) as store:
            created = Stack(layout=layout, endpoint=f"https://{store.endpoint}", folder=project(folder / "project"))
            for command in (["login"], ["stack", "init", "prod"], ["config", "set", "--secret", "word", SECRET]):
                completed = created.pulumi(*command)
                assert completed.returncode == 0, completed.stderr
            yield created
    finally:
        processes.stop(layout)


def test_a_second_update_is_refused_and_the_message_names_the_lock_holder(stack: Stack) -> None:
    first = stack.start("up", "--yes", "--skip-preview")
    Retrying(
        retry=retry_if_result(lambda is_locked: not is_locked),
        stop=stop_after_delay(LOCK_SECONDS),
        wait=wait_fixed(0.1),
    )(stack.is_locked)
    second = stack.pulumi("up", "--yes", "--skip-preview")
    assert second.returncode != 0
    assert "the stack is currently locked by 1 lock(s)" in second.stderr
    assert f"(pid {first.pid})" in second.stderr
    stack.allow_updates()
    output, _ = first.communicate()
    assert first.returncode == 0, output
    assert not stack.is_locked()
    assert stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes").returncode == 0


def test_no_secret_is_in_the_bucket_in_plain_text(stack: Stack) -> None:
    stack.allow_updates()
    assert stack.pulumi("up", "--yes", "--skip-preview").returncode == 0
    password = stack.pulumi("stack", "output", "password", "--show-secrets").stdout.strip()
    assert len(password) == 32
    assert [name for name in stack.objects if name.startswith(".pulumi/stacks/")]
    assert [name for name, text in stack.objects.items() if password in text or SECRET in text] == []


def test_secrets_cannot_be_decrypted_without_the_passphrase(stack: Stack) -> None:
    refused = stack.pulumi("stack", "output", "--show-secrets", PULUMI_CONFIG_PASSPHRASE="wrong")
    assert refused.returncode != 0
    assert "incorrect passphrase" in refused.stderr


def test_a_lost_state_is_restored_from_its_copy(stack: Stack, tmp_path: Path) -> None:
    stack.allow_updates()
    assert stack.pulumi("up", "--yes", "--skip-preview").returncode == 0
    password = stack.pulumi("stack", "output", "password", "--show-secrets").stdout
    file = tmp_path / "copy.json"
    copy, restore = blocks("restore.md", "The state is lost")
    assert stack.shell(copy, COPY=str(file)).returncode == 0
    assert password.strip() not in file.read_text()
    shutil.rmtree(stack.bucket / ".pulumi")
    assert stack.pulumi("stack", "output").returncode != 0
    refused = stack.shell(restore, COPY=str(file), PULUMI_CONFIG_PASSPHRASE="wrong")
    assert refused.returncode != 0
    assert "incorrect passphrase" in refused.stderr
    assert [name for name in stack.objects if name.startswith(".pulumi/stacks/")] == []
    restored = stack.shell(restore, COPY=str(file))
    assert restored.returncode == 0, restored.stderr
    assert stack.pulumi("stack", "output", "password", "--show-secrets").stdout == password
    assert stack.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes").returncode == 0


def test_a_wrong_access_key_is_refused(stack: Stack) -> None:
    refused = stack.pulumi("stack", "ls", AWS_SECRET_ACCESS_KEY="wrong")
    assert refused.returncode != 0
    assert "SignatureDoesNotMatch" in refused.stderr


def test_a_read_only_key_allows_previews_and_no_update(stack: Stack) -> None:
    stack.allow_updates()
    assert stack.pulumi("up", "--yes", "--skip-preview").returncode == 0
    with object_store(stack.layout, read_only=True) as store:
        reader = Stack(layout=stack.layout, endpoint=f"https://{store.endpoint}", folder=stack.folder)
        before = reader.objects
        # A CI job first sets its own kubeconfig, as a secret.
        assert reader.pulumi("config", "set", "--secret", "word", SECRET).returncode == 0
        assert reader.pulumi("preview", "--refresh", "--expect-no-changes").returncode == 0
        refused = reader.pulumi("up", "--yes", "--skip-preview")
        assert refused.returncode != 0
        assert "AccessDenied" in refused.stderr
        assert reader.objects == before


def test_no_header_that_backblaze_refuses_is_sent(stack: Stack) -> None:
    """Backblaze refuses checksum headers and trailers.

    Source: https://www.backblaze.com/docs/cloud-storage-s3-compatible-api
    """
    with recording_store() as (endpoint, writes):
        Stack(layout=stack.layout, endpoint=endpoint, folder=stack.folder).pulumi("stack", "init", "another")
    assert writes
    for headers in writes:
        assert [name for name in headers if "checksum" in name or name == "x-amz-trailer"] == []
        assert "TRAILER" not in headers["x-amz-content-sha256"]
