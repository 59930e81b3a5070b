"""The stack's state in a bucket (docs/ci.md), on a real object store: secrets, the lock, and a key that may only read."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.engine import pulumi
from rehearsal.engine.installation import install
from rehearsal.external.object_store import ObjectStore
from rehearsal.layout import Layout
from rehearsal.processes import processes
from tests.rehearsal.bucket import BUCKET, KEY, KEY_ID, REGION, environment, project, recorder

SECRET = "a-word-that-nobody-may-read"
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

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return pulumi.start(
            self.layout, arguments, project=self.folder, variables=environment(self.layout, self.endpoint)
        )

    @property
    def objects(self) -> dict[str, str]:
        """All that the bucket holds."""
        data = self.layout.external_ca.parent / "data" / BUCKET
        return {str(file.relative_to(data)): file.read_text() for file in data.rglob("*") if file.is_file()}

    def lock(self) -> bool:
        return any("/locks/" in name for name in self.objects)

    def open_the_gate(self) -> None:
        """The program's `up` goes on to its end."""
        (self.folder / "open").touch()


def object_store(layout: Layout, *, read_only: bool = False) -> ObjectStore:
    return ObjectStore(layout, region=REGION, bucket=BUCKET, access_key=KEY_ID, secret_key=KEY, read_only=read_only)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Made as docs/ci.md says, with nothing applied yet."""
    folder = tmp_path_factory.mktemp("state")
    layout = Layout(folder / "world")
    layout.make_folders()
    install(layout)
    try:
        with object_store(layout) as store:
            made = Stack(layout=layout, endpoint=f"https://{store.endpoint}", folder=project(folder / "project"))
            for command in (["login"], ["stack", "init", "prod"], ["config", "set", "--secret", "word", SECRET]):
                done = made.pulumi(*command)
                assert done.returncode == 0, done.stderr
            yield made
    finally:
        processes.stop(layout)


def test_while_one_deploys_another_is_refused_and_told_who(stack: Stack) -> None:
    first = stack.start("up", "--yes", "--skip-preview")
    Retrying(retry=retry_if_result(lambda held: not held), stop=stop_after_delay(LOCK_SECONDS), wait=wait_fixed(0.1))(
        stack.lock
    )
    second = stack.pulumi("up", "--yes", "--skip-preview")
    assert second.returncode != 0
    assert "the stack is currently locked by 1 lock(s)" in second.stderr
    assert f"(pid {first.pid})" in second.stderr
    stack.open_the_gate()
    said, _ = first.communicate()
    assert first.returncode == 0, said
    assert not stack.lock()
    assert stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes").returncode == 0


def test_no_secret_is_in_the_bucket_in_plain_text(stack: Stack) -> None:
    stack.open_the_gate()
    assert stack.pulumi("up", "--yes", "--skip-preview").returncode == 0
    password = stack.pulumi("stack", "output", "password", "--show-secrets").stdout.strip()
    assert len(password) == 32
    assert [name for name in stack.objects if name.startswith(".pulumi/stacks/")]
    assert [name for name, text in stack.objects.items() if password in text or SECRET in text] == []


def test_without_the_passphrase_the_bucket_alone_opens_nothing(stack: Stack) -> None:
    refused = stack.pulumi("stack", "output", "--show-secrets", PULUMI_CONFIG_PASSPHRASE="a-guess")
    assert refused.returncode != 0
    assert "incorrect passphrase" in refused.stderr


def test_a_wrong_key_is_refused(stack: Stack) -> None:
    refused = stack.pulumi("stack", "ls", AWS_SECRET_ACCESS_KEY="a-guess")
    assert refused.returncode != 0
    assert "SignatureDoesNotMatch" in refused.stderr


def test_a_key_that_may_only_read_previews_and_cannot_deploy(stack: Stack) -> None:
    stack.open_the_gate()
    assert stack.pulumi("up", "--yes", "--skip-preview").returncode == 0
    with object_store(stack.layout, read_only=True) as store:
        reader = Stack(layout=stack.layout, endpoint=f"https://{store.endpoint}", folder=stack.folder)
        before = reader.objects
        # What a job does first: its own identity into the checkout's settings.
        assert reader.pulumi("config", "set", "--secret", "word", SECRET).returncode == 0
        assert reader.pulumi("preview", "--refresh", "--expect-no-changes").returncode == 0
        refused = reader.pulumi("up", "--yes", "--skip-preview")
        assert refused.returncode != 0
        assert "AccessDenied" in refused.stderr
        assert reader.objects == before


def test_what_backblaze_refuses_is_not_sent(stack: Stack) -> None:
    """It takes no checksum header and no trailer (https://www.backblaze.com/docs/cloud-storage-s3-compatible-api)."""
    with recorder() as (endpoint, written):
        Stack(layout=stack.layout, endpoint=endpoint, folder=stack.folder).pulumi("stack", "init", "another")
    assert written
    for headers in written:
        assert [name for name in headers if "checksum" in name or name == "x-amz-trailer"] == []
        assert "TRAILER" not in headers["x-amz-content-sha256"]
