"""Looking at a database leaves nothing beside it, sees all of it, and outlives a hostile one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from cachewright.errors import StoreUnreadable
from cachewright.locks.database import Database
from cachewright.locks.database_reading import FileConnection
from cachewright.locks.deadline import Late

OLD = 1_600_000_000


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = tmp_path / "base" / "a ?#%.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE t (a)")
        base.execute("INSERT INTO t VALUES (1)")
    os.utime(path, (OLD, OLD))
    return path


def of(path: Path, timeout_s: float = 10.0) -> Database:
    base = Database("sqlite:////x", timeout_s=timeout_s)
    base._url = base._url.set(database=str(path))
    return base


def ask(sql: str) -> Callable[[Connection], list[Any]]:
    return lambda connection: [tuple(row) for row in connection.execute(text(sql))]


COUNT = ask("SELECT count(*) FROM t")


def settle(path: Path) -> None:
    """Wait until it is no file any more that was written just now; only time tells that."""
    while time.time_ns() < path.stat().st_ctime_ns + 1_100_000_000:
        time.sleep(0.05)


def around(path: Path) -> dict[str, tuple[bytes, int]]:
    """Every file beside it, with its content and time; the database itself included."""
    return {one.name: (one.read_bytes(), one.stat().st_mtime_ns) for one in path.parent.iterdir()}


def looks(path: Path, expected: object) -> None:
    """What is read, and that nothing was touched, here or in the place for private copies."""
    before = around(path)
    assert of(path).read(COUNT) == [(expected,)]
    assert around(path) == before
    assert not list(Path(tempfile.gettempdir()).iterdir())


def test_a_file_that_nobody_writes(file: Path) -> None:
    looks(file, 1)
    settle(file)
    looks(file, 1)


def test_a_file_that_nobody_writes_is_not_locked(file: Path) -> None:
    settle(file)

    def written(connection: Connection) -> None:
        assert COUNT(connection) == [(1,)]
        with closing(sqlite3.connect(file, timeout=0)) as base:
            base.execute("BEGIN EXCLUSIVE")
            base.rollback()

    of(file).read(written)


def test_a_file_in_wal_mode_that_nobody_has_open(file: Path) -> None:
    with closing(sqlite3.connect(file)) as base:
        base.execute("PRAGMA journal_mode=WAL")
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    looks(file, 1)
    os.utime(file, (OLD, OLD))
    looks(file, 1)


def test_what_lies_in_the_log_is_seen(file: Path) -> None:
    with closing(sqlite3.connect(file)) as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA wal_autocheckpoint=0")
        for number in range(2, 6):
            with base:
                base.execute("INSERT INTO t VALUES (2)")
            os.utime(file, (OLD, OLD))
            looks(file, number)


def test_the_log_of_a_service_that_was_killed_is_seen_and_left(file: Path) -> None:
    program = (
        "import os, sqlite3, sys\n"
        "base = sqlite3.connect(sys.argv[1])\n"
        "base.execute('PRAGMA journal_mode=WAL')\n"
        "base.execute('INSERT INTO t VALUES (2)'); base.commit()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=False, timeout=60)
    looks(file, 2)
    (file.parent / (file.name + "-shm")).unlink()
    looks(file, 2)


def test_a_journal_that_a_crash_left_is_not_rolled_back(file: Path) -> None:
    program = (
        "import os, sqlite3, sys\n"
        "base = sqlite3.connect(sys.argv[1])\n"
        "base.execute('PRAGMA cache_size=1'); base.execute('PRAGMA cache_spill=1')\n"
        "base.executemany('INSERT INTO t VALUES (?)', [('x' * 4000,)] * 500)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=False, timeout=60)
    assert (file.parent / (file.name + "-journal")).stat().st_size > 0
    before = around(file)
    with pytest.raises(StoreUnreadable, match="its last change was interrupted"):
        of(file).read(COUNT)
    assert around(file) == before
    with closing(sqlite3.connect(file)) as base:
        assert base.execute("SELECT count(*) FROM t").fetchone() == (1,)
    looks(file, 1)


def test_a_file_that_is_written_while_it_is_read_is_read_again(file: Path) -> None:
    seen: list[int] = []
    settle(file)

    def meddled(connection: Connection) -> int:
        ((found,),) = COUNT(connection)
        if not seen:
            with closing(sqlite3.connect(file)) as base, base:
                base.execute("INSERT INTO t VALUES (2)")
        seen.append(found)
        return int(found)

    assert of(file).read(meddled) == 2
    assert seen == [1, 2]


def test_a_file_that_is_written_all_the_time_is_told(file: Path) -> None:
    with closing(sqlite3.connect(file)) as base:
        base.execute("PRAGMA journal_mode=WAL")

    def meddled(connection: Connection) -> None:
        COUNT(connection)
        os.utime(file)

    with pytest.raises(StoreUnreadable, match="written each time that it was read"):
        of(file).read(meddled)


def hostile(path: Path, *statements: str) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as base:
        base.executescript(";".join(statements))
    os.utime(path, (OLD, OLD))


ENDLESS = (
    "CREATE VIEW t AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT count(*) AS a FROM c"
)


@pytest.mark.parametrize(
    "statement",
    [
        ENDLESS,
        "CREATE TABLE u (a); CREATE VIEW t AS SELECT a FROM u",
        "CREATE VIRTUAL TABLE t USING fts5(a)",
        "CREATE VIRTUAL TABLE t USING rtree(a, b, c)",
    ],
)
def test_only_plain_tables_are_read(file: Path, statement: str) -> None:
    hostile(file, statement)
    with pytest.raises(StoreUnreadable, match="only plain tables are read"):
        of(file).read(ask("SELECT a FROM t"))


def test_a_question_without_end_is_ended(file: Path) -> None:
    hostile(file, "CREATE TABLE t (a)", "INSERT INTO t VALUES " + ", ".join(["(1)"] * 400))  # noqa: S608
    with pytest.raises(StoreUnreadable, match="to read it takes too long"):
        of(file, 3.0).read(ask("SELECT count(*) FROM t, t b, t c, t d, t e"))


def test_a_value_that_no_service_writes_is_not_read(file: Path) -> None:
    hostile(file, "CREATE TABLE t (a)", "INSERT INTO t VALUES (zeroblob(5000000))")
    with pytest.raises(StoreUnreadable, match="too big"):
        of(file).read(ask("SELECT a FROM t"))


def test_many_rows_come_in_batches_and_all_values_as_they_are(file: Path) -> None:
    with closing(sqlite3.connect(file)) as base, base:
        base.executemany("INSERT INTO t VALUES (?)", [("é" * 3000,)] * 1500)
        base.executemany(
            "INSERT INTO t VALUES (?)", [(b"\0\xff",), (None,), (1 << 62,), (0.1,), (1e999,)]
        )
    found = [a for (a,) in of(file).read(ask("SELECT a FROM t"))]
    assert found == [1, *["é" * 3000] * 1500, b"\0\xff", None, 1 << 62, 0.1, float("inf")]


def test_a_header_that_promises_more_than_there_is(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[28:32] = (1 << 30).to_bytes(4, "big")
    file.write_bytes(content)
    os.utime(file, (OLD, OLD))
    with pytest.raises(StoreUnreadable, match=r"malformed|corrupt"):
        of(file).read(ask("SELECT a FROM t"))


def test_a_log_too_large_to_copy_is_not_copied(file: Path) -> None:
    log = file.parent / (file.name + "-wal")
    log.touch()
    os.truncate(log, 2 << 30)
    with pytest.raises(StoreUnreadable, match="too large to be copied"):
        of(file).read(COUNT)


def test_a_process_that_does_not_answer_is_given_up_and_ended(file: Path) -> None:
    connection = FileConnection(os.fsencode(file), 1.0)
    process = connection._worker.pid
    os.kill(process, signal.SIGSTOP)
    with pytest.raises(Late):
        connection.ask("execute", "SELECT 1", [])
    connection.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_process_that_fails_is_told(file: Path) -> None:
    connection = FileConnection(os.fsencode(file), 10.0)
    os.kill(connection._worker.pid, signal.SIGKILL)
    with pytest.raises(sqlite3.OperationalError, match="the process that read it failed"):
        connection.ask("execute", "SELECT 1", [])
    connection.close()
