"""Databases of others: read without writing, and told of in one sentence where they cannot be."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from cachewright.errors import AddressInvalid, AnswerLost, ExtraMissing, StoreUnreadable
from cachewright.locks.database import Database, text_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "with ? and # in it.sqlite"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE t (a)")
        base.execute("INSERT INTO t VALUES (1)")
    return path


def of(path: Path, timeout_s: float = 10.0) -> Database:
    base = Database("sqlite:////x", timeout_s=timeout_s)
    base._url = base._url.set(database=str(path))
    return base


def count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())


def grow(connection: Connection) -> int:
    return connection.execute(text("INSERT INTO t VALUES (2)")).rowcount


def test_it_is_read_and_not_written(file: Path) -> None:
    assert of(file).read(count) == 1
    with pytest.raises(StoreUnreadable, match="only plain tables are read"):
        of(file).read(grow)
    assert of(file).read(count) == 1


def test_a_change_is_whole_or_not_at_all(file: Path) -> None:
    def fail(connection: Connection) -> None:
        grow(connection)
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(StoreUnreadable, match="not those of a Glance version"):
        of(file).change(fail)
    assert of(file).read(count) == 1
    assert of(file).change(grow) == 1
    assert of(file).read(count) == 2


def test_what_is_read_is_one_moment(file: Path) -> None:
    with closing(sqlite3.connect(file, check_same_thread=False)) as base:
        base.execute("PRAGMA journal_mode=WAL")
        with base:
            base.execute("INSERT INTO t VALUES (2)")

        def twice(connection: Connection) -> tuple[int, int]:
            first = count(connection)
            with base:
                base.execute("INSERT INTO t VALUES (3)")
            return first, count(connection)

        assert of(file).read(twice) == (2, 2)
        assert of(file).read(count) == 3
    assert of(file).read(count) == 3


def test_a_database_that_another_keeps_is_waited_for_and_told(file: Path) -> None:
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnreadable, match="database is locked"):
            of(file, 2.0).read(count)
        with pytest.raises(StoreUnreadable, match="database is locked"):
            of(file, 0.3).change(grow)
    assert of(file).read(count) == 1


def test_a_file_that_may_not_be_written_is_read_all_the_same(file: Path) -> None:
    file.chmod(0o444)
    file.parent.chmod(0o555)
    try:
        assert of(file).read(count) == 1
    finally:
        file.parent.chmod(0o755)


def test_what_is_no_database_is_told_without_being_made(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(StoreUnreadable, match="No such file"):
        of(missing).read(count)
    assert not missing.exists()
    noise = tmp_path / "noise"
    noise.write_bytes(os.urandom(5000))
    with pytest.raises(StoreUnreadable, match="not a database"):
        of(noise).read(count)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StoreUnreadable, match="not a regular file"):
        of(pipe).read(count)
    with pytest.raises(StoreUnreadable, match="not a regular file"):
        of(tmp_path).read(count)


def test_another_schema_is_told_in_words(file: Path) -> None:
    with pytest.raises(StoreUnreadable, match="not those of a Glance version that is known"):
        of(file).read(lambda connection: connection.execute(text("SELECT b FROM t")))


def test_a_server_that_is_not_there_or_says_nothing_is_told_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        for scheme in ("postgresql+psycopg2", "mysql+pymysql"):
            silent = Database(f"{scheme}://u:hush@127.0.0.1:{port}/x", timeout_s=0.5)
            with pytest.raises(StoreUnreadable, match=r"did not answer within 0\.5 s") as told:
                silent.read(count)
            assert "hush" not in str(told.value)
    for scheme in ("postgresql+psycopg2", "mysql+pymysql"):
        gone = Database(f"{scheme}://u:hush@127.0.0.1:{port}/x", timeout_s=20)
        with pytest.raises(StoreUnreadable, match="refused") as told:
            gone.read(count)
        assert "hush" not in str(told.value)


def test_a_change_that_is_given_up_is_not_made_later(file: Path) -> None:
    release, ended = threading.Event(), threading.Event()

    def slow(connection: Connection) -> int:
        release.wait(10)
        found = grow(connection)
        ended.set()
        return found

    with pytest.raises(StoreUnreadable, match="did not answer within"):
        of(file, 0.3).change(slow)
    release.set()
    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == "asking a store":
            thread.join(10)
    assert of(file).read(count) == 1


@pytest.mark.parametrize("late", [True, False])
def test_a_commit_whose_end_is_not_heard_is_not_called_undone(
    file: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    release = threading.Event()

    def commit(_connection: Connection) -> None:
        if late:
            release.wait(10)
        raise OperationalError("COMMIT", {}, Exception("the line is cut"))

    monkeypatch.setattr(Connection, "commit", commit)
    try:
        with pytest.raises(AnswerLost, match=r"did not answer|the line is cut"):
            of(file, 0.3 if late else 10.0).change(grow)
    finally:
        release.set()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("oracle://u:hush@h/x", "is no driver|only SQLite"),
        ("mysql+nonsense://u:hush@h/x", "is no driver that is known"),
        ("no address", "is no database address"),
        ("sqlite", "is no database address"),
        ("postgresql+psycopg2://u:hush@h:port/x", "is no database address"),
    ],
)
def test_an_address_that_is_none(said: str, why: str) -> None:
    with pytest.raises(AddressInvalid, match=why) as told:
        Database(said)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    ("module", "said", "library"),
    [
        ("psycopg2", "postgresql+psycopg2://h/x", "psycopg2"),
        ("pymysql", "mysql+pymysql://h/x", "pymysql"),
        ("sqlalchemy", "sqlite:////x", "SQLAlchemy"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, said: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing, match=rf"{library}, which is not.*cachewright\[glance\]"):
        Database(said)


def test_the_password_may_come_from_elsewhere_and_is_never_shown() -> None:
    without = Database("mysql+pymysql://u@h/x?charset=utf8", password="hush")
    assert without._url.password == "hush"
    assert without.shown == b"mysql+pymysql://u@h/x?charset=utf8"
    with_one = Database("mysql+pymysql://u:own@h/x", password="hush")
    assert with_one._url.password == "own"
    assert with_one.shown == b"mysql+pymysql://u@h/x"


def test_what_a_driver_says_is_shown_without_the_password() -> None:
    base = Database("mysql+pymysql://u:hu%2Fsh@h/x")
    said = base._why(ValueError("access denied for hu/sh\nand more"))
    assert said == "access denied for [hidden]"


def test_values_as_text() -> None:
    assert [text_of(one) for one in (None, "a", b"b\xff", 3)] == ["", "a", "b\ufffd", "3"]
