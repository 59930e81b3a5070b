"""The dump to restore: the bucket of the settings, the operator's key for it, and the age key that decrypts."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from images.backup.errors import BackupError
from images.backup.manifest import DUMP, MANIFEST, Manifest
from images.backup.store import Store
from infra.settings.apps import STORE_ENDPOINT, STORE_REGION
from infra.settings.messages import PROJECT
from infra.settings.schema import Settings
from ops.errors import OpsError
from tools.backups import BACKUPS
from tools.cache import install_folder

LATEST = "latest"
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""A Backblaze application key that may list and read the bucket of the dumps."""

identity_option = click.option(
    "--identity",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The file with the age key that decrypts the dumps.",
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A complete dump in the bucket."""

    store: Store
    time: str
    manifest: Manifest
    identity: Path

    def decrypted(self) -> Sequence[Sequence[str]]:
        """The commands of a pipeline that prints the dump."""
        age = ["age", "--decrypt", "--identity", str(self.identity)]
        return [self.store.command("cat", self.store.path(self.time + DUMP)), age]


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turns a BackupError into an OpsError."""
    try:
        yield
    except BackupError as error:
        raise OpsError(str(error)) from None


def use_installed_programs() -> None:
    """Puts age and rclone of this checkout on PATH."""
    folders = [str(install_folder(program)) for program in BACKUPS]
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])


def require_programs(*names: str, package: str) -> None:
    """Raises an OpsError if a program is not on PATH."""
    if missing := [name for name in names if shutil.which(name) is None]:
        raise OpsError(f"{', '.join(missing)} is not on PATH: install {package}")


def ask_for_credentials() -> None:
    """Asks for the key of the bucket, unless the environment has it. It is never an argument, which `ps` shows."""
    for name in CREDENTIALS:
        if not os.environ.get(name):
            os.environ[name] = click.prompt(f"{name} (a key that may list and read the bucket)", hide_input=True)


def select(settings: Settings, identity: Path, time: str = LATEST) -> Source:
    """The dump of this time, or the newest complete one. Raises an OpsError if there is none."""
    if settings.backups is None:
        raise OpsError(f"{PROJECT}:backups is not set, so there is no bucket with dumps (docs/backups.md)")
    store = Store(
        bucket=settings.backups.bucket,
        endpoint=settings.environment[STORE_ENDPOINT],
        region=settings.environment[STORE_REGION],
    )
    use_installed_programs()
    ask_for_credentials()
    with readable_errors():
        complete = {backup.time: backup for backup in store.backups() if backup.complete}
        if not complete:
            raise OpsError(f"bucket {store.bucket} contains no complete dump: one without a manifest does not count")
        selected = max(complete) if time == LATEST else time
        if selected not in complete:
            raise OpsError(f"bucket {store.bucket} has no complete dump {time}; its dumps: {', '.join(complete)}")
        manifest = Manifest.parse(store.read(selected + MANIFEST))
    if complete[selected].bytes != manifest.bytes:
        raise OpsError(
            f"{selected}{DUMP} has {complete[selected].bytes} bytes, its manifest says {manifest.bytes}: use another "
            f"one of {', '.join(complete)}"
        )
    return Source(store=store, time=selected, manifest=manifest, identity=identity)
