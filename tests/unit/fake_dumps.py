"""A bucket with dumps, a database and the age key of an operator, behind stub programs that are first on PATH."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner, Result

from images.backup.manifest import DUMP, MANIFEST, Manifest
from ops.__main__ import cli
from ops.backups import database, drill, source
from tests.unit.capture import full_settings
from tests.unit.fake_engine import kubeconfig_for
from tests.unit.stubs import write_stub

TIME = "20260131T023000Z"
KEY, APPLICATION_KEY = "key-of-the-operator", "application-key-of-the-operator"
RIGHT, WRONG = "AGE-SECRET-KEY-RIGHT", "AGE-SECRET-KEY-WRONG"
TABLES = {"public.goose_db_version": 1, "public.tasks": 3}
CONTENT = "dump"
CONTENTS = Manifest(
    schema_version=2,
    tables=TABLES,
    extensions={"plpgsql": "1.0"},
    postgres_version="17.2",
    client_version=17,
    bytes=len(CONTENT),
    sha256="00",
    started="2026-01-31T02:30:00+00:00",
    seconds=1.5,
)
RCLONE = """
for last; do :; done
case "$*" in
*" lsjson "*)
  if [ "$AWS_SECRET_ACCESS_KEY" != {key} ]; then echo "403 SignatureDoesNotMatch" >&2; exit 1; fi
  cat {folder}/listing ;;
*) cat "{folder}/bucket/${{last##*/}}" ;;
esac
"""
AGE = f"""
for last; do :; done
grep -q {RIGHT} "$last" && exec cat
cat > /dev/null
echo "age: error: no identity matched any of the recipients" >&2
exit 1
"""
PSQL = """
echo "$PGHOST:$PGPORT/$PGDATABASE $PGUSER $PGPASSWORD $PGSSLMODE $PGHOSTADDR" > {folder}/connection
case "$*" in
*current_database*) echo "$PGDATABASE"; exit ;;
*pg_available_extensions*) echo plpgsql; exit ;;
*--command*) exit ;;
esac
while read -r line; do
  case "$line" in
  '\\echo '*) echo "${{line#??????}}" ;;
  '\\gexec') cat {folder}/tables ;;
  *pg_backend_pid*) echo $$ ;;
  *json_object_agg*) echo '{{"plpgsql": "1.0"}}' ;;
  *"IS NOT NULL"*) if [ -s {folder}/tables ]; then echo t; else echo f; fi ;;
  *version_id*) echo 2 ;;
  esac
done
"""
PG_RESTORE = """
[ "$1" != --version ] || {{ echo "pg_restore (PostgreSQL) 17.2"; exit; }}
cat > {folder}/received
[ "$(cat {folder}/received)" = dump ] || {{ echo "pg_restore: error: could not read from input file" >&2; exit 1; }}
echo "$*" > {folder}/restored
cp {folder}/tables.of.the.dump {folder}/tables
"""
SECRETS = (KEY, APPLICATION_KEY, RIGHT, WRONG)


@dataclass(kw_only=True)
class Dumps:
    """Runs a command with these programs, and contains what they received."""

    folder: Path
    settings: dict[str, object] = field(default_factory=dict)
    environment: dict[str, str] = field(
        default_factory=lambda: {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": APPLICATION_KEY}
    )

    def add(self, time: str, manifest: Manifest | None = CONTENTS, *, content: str = CONTENT) -> None:
        """Adds a dump, without a manifest if there is none."""
        bucket = self.folder / "bucket"
        (bucket / f"{time}{DUMP}").write_text(content)
        if manifest:
            (bucket / f"{time}{MANIFEST}").write_text(manifest.text())
        self.list()

    def list(self) -> None:
        files = sorted((self.folder / "bucket").iterdir())
        listed = [{"Name": file.name, "Size": file.stat().st_size, "IsDir": False} for file in files]
        (self.folder / "listing").write_text(json.dumps(listed))

    def set_tables(self, tables: Mapping[str, int], *, file: str = "tables") -> None:
        """The tables of the database, or those after a restore."""
        (self.folder / file).write_text("".join(f'["{name}", {rows}]\n' for name, rows in tables.items()))

    def received(self, name: str) -> str | None:
        file = self.folder / name
        return file.read_text() if file.exists() else None

    def identity(self, text: str = RIGHT) -> Path:
        file = self.folder / "age.key"
        file.write_text(text)
        return file

    def run(self, *arguments: str, answer: str = "") -> Result:
        """Runs a command. Neither its result nor its output is a traceback, or contains a secret."""
        with mock.patch.dict(os.environ, self.environment):
            result = CliRunner().invoke(cli, [*arguments, "--stack", "prod"], input=answer)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert not [secret for secret in SECRETS if secret in result.output]
        return result

    def error(self, *arguments: str, answer: str = "") -> str:
        """Runs a command that fails, and returns its only error."""
        result = self.run(*arguments, answer=answer)
        assert result.exit_code == 1, result.output
        (line,) = (line for line in result.output.splitlines() if line.startswith("Error: "))
        return line.removeprefix("Error: ")


@contextmanager
def dumps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dumps]:
    """An empty database, and one complete dump in the bucket."""
    (folder / "bucket").mkdir()
    programs = folder / "bin"
    for name, script in {"rclone": RCLONE, "psql": PSQL, "pg_restore": PG_RESTORE}.items():
        write_stub(programs, name, script.format(folder=folder, key=APPLICATION_KEY))
    write_stub(programs, "age", AGE)
    result = Dumps(folder=folder)
    result.settings = {key.removeprefix("honeydue:"): value for key, value in full_settings().items()}
    result.settings["kubeconfig"] = kubeconfig_for("https://127.0.0.1:6443")
    result.set_tables({})
    result.set_tables(TABLES, file="tables.of.the.dump")
    result.add(TIME)
    with mock.patch.dict(os.environ), monkeypatch.context() as patch:
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        patch.setattr(source, "install_folder", lambda _: programs)
        for module in (database, drill):
            patch.setattr(module, "read_settings", lambda _: result.settings)
        yield result
