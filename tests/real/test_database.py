"""The external database behaves as Neon does: a pooled and a direct host, TLS, passwords, shared sessions."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from rehearsal.errors import RehearsalError
from rehearsal.external.database import ExternalDatabase
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.processes import processes
from tests.real import database
from tests.retry import eventually

START_DATABASE = """
import sys
from pathlib import Path
from tests.real import database
with database.running(Path(sys.argv[1])):
    pass
"""


@pytest.fixture
def external_database(tmp_path: Path) -> Iterator[ExternalDatabase]:
    with database.running(tmp_path) as running_database:
        yield running_database


def test_both_hosts_lead_to_the_same_database(external_database: ExternalDatabase) -> None:
    assert external_database.addresses == {
        "ep-floral-truth-amttbc5a-pooler.c-5.us-east-1.aws.neon.tech": external_database.pooler,
        "ep-floral-truth-amttbc5a.c-5.us-east-1.aws.neon.tech": external_database.direct,
    }
    for host in external_database.addresses.values():
        assert external_database.query("SELECT current_database(), current_user", host=host) == "neondb|neondb_owner"


def test_clients_of_the_pooler_share_a_session(external_database: ExternalDatabase) -> None:
    # The next client of the pooler gets the session of the previous one. The session lock of goose therefore needs the
    # direct host.
    external_database.query("SET statement_timeout = '77s'", host=external_database.pooler)
    assert external_database.query("SHOW statement_timeout", host=external_database.pooler) == "77s"
    external_database.query("SET statement_timeout = '77s'")
    assert external_database.query("SHOW statement_timeout") == "0"


def test_connections_without_the_password_or_without_tls_are_refused(
    external_database: ExternalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in external_database.addresses.values():
        with pytest.raises(RehearsalError, match="authentication failed"):
            replace(external_database, password="rehearsal-wrong").query("SELECT 1", host=host)
    monkeypatch.setattr("rehearsal.external.database.SSL_MODE", "disable")
    for host in external_database.addresses.values():
        with pytest.raises(RehearsalError, match=r"no encryption|SSL required"):
            external_database.query("SELECT 1", host=host)


def test_stopping_a_world_stops_a_database_that_is_being_initialized(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "world")
    layout.make_folders()
    starter = subprocess.Popen(
        [sys.executable, "-c", START_DATABASE, str(tmp_path)], cwd=CHECKOUT, start_new_session=True
    )

    def initdb_is_running() -> None:
        assert "initdb" in programs_in(layout.folder)

    eventually(initdb_is_running)
    starter.kill()
    starter.wait()
    processes.stop(layout)
    # Checked without a retry: a process that still writes to the folder would make its removal fail.
    assert programs_in(layout.folder) == []


def programs_in(folder: Path) -> list[str]:
    """Names of the processes that have this folder mounted, with or without the mark of a world."""
    names = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if str(folder) in Path(f"/proc/{process.pid}/mountinfo").read_text():
                names.append(process.name())
    return names


def test_the_database_keeps_its_data_after_a_restart(external_database: ExternalDatabase) -> None:
    external_database.query("CREATE TABLE kept (id int)")
    external_database.stop()
    with pytest.raises(RehearsalError, match="refused"):
        external_database.query("SELECT 1")
    external_database.start()
    assert external_database.query("SELECT to_regclass('kept')", host=external_database.pooler) == "kept"


def test_stopping_a_world_stops_the_database(external_database: ExternalDatabase) -> None:
    parents = processes.running(external_database.layout)
    assert {process.name() for process in parents} >= {"postgres", "pgbouncer"}
    # The children of PostgreSQL overwrite their environment with a process title, and so lose the mark of the world.
    children = [child for process in parents for child in process.children(recursive=True)]
    assert children
    processes.stop(external_database.layout)
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


def test_a_failed_start_names_the_log(external_database: ExternalDatabase) -> None:
    external_database.stop()
    shutil.rmtree(external_database.folder / "data" / "global")
    with pytest.raises(RehearsalError, match=r"postgresql ended while it started: .+ \(log: .*postgresql\.log\)"):
        external_database.start()
