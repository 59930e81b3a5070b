"""`make restore-database`: what it refuses, and that its errors are one line without a secret."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops.backups.database import DSN, connection, restore_database
from ops.errors import OpsError
from tests.unit.fake_dumps import CONTENTS, TABLES, TIME, WRONG, Dumps, dumps

PASSWORD = "password/of the database"  # a placeholder
HOST = "db.example.com"
URL = f"postgresql://app:password%2Fof%20the%20database@{HOST}:6432/app?sslmode=verify-full"
OLD = {"public.old": 5}


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dumps]:
    with dumps(tmp_path, monkeypatch) as result:
        result.environment[DSN] = URL
        yield result


def arguments(bucket: Dumps, *others: str, time: str = "latest", key: str = "") -> list[str]:
    identity = bucket.identity(key) if key else bucket.identity()
    return ["restore-database", "--identity", str(identity), "--from", time, *others]


def nothing_changed(bucket: Dumps) -> bool:
    return bucket.received("restored") is None


def test_a_dump_is_restored_into_an_empty_database(bucket: Dumps) -> None:
    result = bucket.run(*arguments(bucket), answer="y\n")
    assert result.exit_code == 0, result.output
    assert f"Restore {TIME} (4 rows) into app at {HOST}?" in result.output
    assert f"Restored {TIME} into app at {HOST}: 2 tables, 4 rows, schema version 2" in result.output
    assert "--single-transaction" in (bucket.received("restored") or "")
    assert "--clean" not in (bucket.received("restored") or "")
    assert bucket.received("connection") == f"{HOST}:6432/app app {PASSWORD} verify-full \n"


def test_without_a_confirmation_nothing_is_restored(bucket: Dumps) -> None:
    assert "Nothing was applied" in bucket.run(*arguments(bucket), answer="n\n").output
    assert nothing_changed(bucket)


def test_the_url_is_no_argument_and_its_prompt_shows_nothing(bucket: Dumps) -> None:
    assert {name for parameter in restore_database.params for name in parameter.opts} == {
        *("--stack", "--identity", "--from", "--overwrite")
    }
    del bucket.environment[DSN]
    result = bucket.run(*arguments(bucket), answer=f"{URL}\ny\n")
    assert result.exit_code == 0, result.output
    assert "password%2F" not in result.output
    assert PASSWORD not in result.output
    assert URL not in (bucket.received("restored") or "")


def test_the_key_of_the_bucket_is_asked_for(bucket: Dumps) -> None:
    keys = [bucket.environment.pop(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    result = bucket.run(*arguments(bucket), answer="\n".join([*keys, "y\n"]))
    assert result.exit_code == 0, result.output


def test_a_database_with_tables_is_refused(bucket: Dumps) -> None:
    bucket.set_tables(OLD)
    assert bucket.error(*arguments(bucket)) == (
        f"app at {HOST} holds 1 tables with 5 rows. Nothing was changed. To replace them, add OVERWRITE=1"
    )
    assert nothing_changed(bucket)


def test_tables_are_only_replaced_if_the_host_is_typed(bucket: Dumps) -> None:
    bucket.set_tables(OLD)
    command = arguments(bucket, "--overwrite")
    assert bucket.error(*command, answer="another.example.com\n") == "another name was typed. Nothing was changed"
    assert nothing_changed(bucket)
    assert bucket.run(*command, answer=f"{HOST}\n").exit_code == 0
    assert "--clean --if-exists" in (bucket.received("restored") or "")


def test_another_age_key_restores_nothing(bucket: Dumps, capfd: pytest.CaptureFixture[str]) -> None:
    message = bucket.error(*arguments(bucket, key=WRONG), answer="y\n")
    assert message == "age ended with exit code 1 (see above)"
    output = capfd.readouterr().err
    assert "no identity matched any of the recipients" in output
    assert "Traceback" not in output
    assert nothing_changed(bucket)


def test_a_restore_that_differs_from_the_manifest_is_an_error(bucket: Dumps) -> None:
    bucket.set_tables({**TABLES, "public.tasks": 2}, file="tables.of.the.dump")
    result = bucket.run(*arguments(bucket), answer="y\n")
    assert result.exit_code == 1
    assert "the database differs from the manifest:\ntable public.tasks has 2 rows, 3 were expected" in result.output


def test_a_newer_dump_is_refused_before_the_restore(bucket: Dumps) -> None:
    bucket.add(TIME, replace(CONTENTS, client_version=18))
    assert "written by pg_dump 18, and pg_restore 17 cannot read it" in bucket.error(*arguments(bucket))
    assert nothing_changed(bucket)


def test_a_missing_extension_is_named_before_the_restore(bucket: Dumps) -> None:
    bucket.add(TIME, replace(CONTENTS, extensions={"plpgsql": "1.0", "postgis": "3"}))
    assert "the server lacks the extension postgis" in bucket.error(*arguments(bucket))
    assert nothing_changed(bucket)


def test_a_pooler_is_refused(bucket: Dumps) -> None:
    bucket.environment[DSN] = URL.replace("db.", "db-pooler.")
    assert bucket.error(*arguments(bucket)).startswith("db-pooler.example.com is a pooler")
    assert nothing_changed(bucket)


def test_variables_of_the_operator_select_no_other_server(bucket: Dumps) -> None:
    bucket.environment |= {"PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGPASSWORD": "another"}
    assert bucket.run(*arguments(bucket), answer="y\n").exit_code == 0
    assert bucket.received("connection") == f"{HOST}:6432/app app {PASSWORD} verify-full \n"


@pytest.mark.parametrize(
    "url",
    [
        "secret",
        "https://app:secret@db.example.com/app",
        "postgresql://app:secret@db.example.com",
        "postgresql://app:secret@/app",
        "postgresql://db.example.com/secret",
        "postgresql://app:secret@db.example.com:port/app",
        "postgresql://app:secret@[db.example.com/app",
        "postgresql://app:se/cret@db.example.com/app",
    ],
)
def test_what_is_no_connection_url_is_one_line_without_it(url: str, bucket: Dumps) -> None:
    bucket.environment[DSN] = url
    message = bucket.error(*arguments(bucket))
    assert message.startswith(f"{DSN} is not a connection URL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    assert "secret" not in message
    assert "cret@" not in message


def test_options_of_a_url_are_variables_of_libpq() -> None:
    variables = connection("postgres://app:secret@db.example.com/app?channel_binding=require&sslrootcert=%2Fca.pem")
    assert variables == {
        "PGHOST": "db.example.com",
        "PGPORT": "5432",
        "PGUSER": "app",
        "PGPASSWORD": "secret",
        "PGDATABASE": "app",
        "PGSSLMODE": "require",
        "PGCHANNELBINDING": "require",
        "PGSSLROOTCERT": "/ca.pem",
    }
    with pytest.raises(OpsError, match="has an option other than sslmode, sslrootcert, channel_binding, options"):
        connection("postgres://app:secret@db.example.com/app?hostaddr=192.0.2.1")


def test_a_missing_program_is_named(bucket: Dumps) -> None:
    (bucket.folder / "bin" / "pg_restore").unlink()
    bucket.environment["PATH"] = str(bucket.folder / "bin")
    assert bucket.error(*arguments(bucket)) == (
        "pg_restore is not on PATH: install the client of PostgreSQL, of the server's version or newer"
    )
