"""The database outside of the cluster behaves as Neon's: two addresses, TLS, passwords, and a pooler whose sessions are nobody's own."""

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
from tests.real.patience import patiently

MAKE = """
import sys
from pathlib import Path
from tests.real import database
with database.running(Path(sys.argv[1])):
    pass
"""


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[ExternalDatabase]:
    with database.running(tmp_path) as started:
        yield started


def test_it_stands_under_both_names(outside: ExternalDatabase) -> None:
    assert outside.addresses == {
        "ep-floral-truth-amttbc5a-pooler.c-5.us-east-1.aws.neon.tech": outside.pooler,
        "ep-floral-truth-amttbc5a.c-5.us-east-1.aws.neon.tech": outside.direct,
    }
    for host in outside.addresses.values():
        assert outside.query("SELECT current_database(), current_user", host=host) == "neondb|neondb_owner"


def test_the_pooler_shares_its_sessions(outside: ExternalDatabase) -> None:
    # What one client sets is found by the next: why a session lock of goose's needs the direct host.
    outside.query("SET statement_timeout = '77s'", host=outside.pooler)
    assert outside.query("SHOW statement_timeout", host=outside.pooler) == "77s"
    outside.query("SET statement_timeout = '77s'")
    assert outside.query("SHOW statement_timeout") == "0"


def test_nobody_comes_in_without_the_password_or_without_tls(
    outside: ExternalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in outside.addresses.values():
        with pytest.raises(RehearsalError, match="authentication failed"):
            replace(outside, password="rehearsal-wrong").query("SELECT 1", host=host)
    monkeypatch.setattr("rehearsal.external.database.SSL_MODE", "disable")
    for host in outside.addresses.values():
        with pytest.raises(RehearsalError, match=r"no encryption|SSL required"):
            outside.query("SELECT 1", host=host)


def test_a_world_ends_a_database_that_is_being_made(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "world")
    layout.make_folders()
    starter = subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], cwd=CHECKOUT, start_new_session=True)

    def initializing() -> None:
        assert "initdb" in programs_in(layout.folder)

    patiently(initializing)
    starter.kill()
    starter.wait()
    processes.stop(layout)
    # At once: whoever still writes there fails the removal of the folder.
    assert programs_in(layout.folder) == []


def programs_in(folder: Path) -> list[str]:
    """The programs that have this folder mounted, with or without a world's mark."""
    mounted = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if str(folder) in Path(f"/proc/{process.pid}/mountinfo").read_text():
                mounted.append(process.name())
    return mounted


def test_what_was_written_outlives_an_outage(outside: ExternalDatabase) -> None:
    outside.query("CREATE TABLE kept (id int)")
    outside.stop()
    with pytest.raises(RehearsalError, match="refused"):
        outside.query("SELECT 1")
    outside.start()
    assert outside.query("SELECT to_regclass('kept')", host=outside.pooler) == "kept"


def test_it_ends_with_its_world(outside: ExternalDatabase) -> None:
    started = processes.running(outside.layout)
    assert {one.name() for one in started} >= {"postgres", "pgbouncer"}
    # Its own name for each, where its environment was: a child of PostgreSQL does not carry the world's mark.
    children = [child for one in started for child in one.children(recursive=True)]
    assert children
    processes.stop(outside.layout)
    assert [one for one in children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_start_that_fails_says_where_to_look(outside: ExternalDatabase) -> None:
    outside.stop()
    shutil.rmtree(outside.folder / "data" / "global")
    with pytest.raises(RehearsalError, match=r"postgresql ended while it started; its log: .*postgresql\.log"):
        outside.start()
