"""The same questions to SQLite, PostgreSQL and MariaDB, with rows of the service's own making."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from cachewright.cli.main import run
from cachewright.errors import StoreUnreadable
from cachewright.locks.database import PASSWORD, Database
from cachewright.model import (
    Access,
    Directories,
    EntryVerdict,
    Finding,
    FindingKind,
    HoldVerdict,
    Result,
    Severity,
)
from cachewright.text import public_address
from cachewright.workbench import Bench, Options, open_bench, undo

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import servers  # noqa: E402 - beside this file

ENGINES = ("sqlite", "postgresql", "mariadb")
LOCK = "os_glance_import_task"


@dataclass
class Made:
    """A database with rows, and directories with files that they speak of."""

    address: str
    top: Path
    ids: dict[str, str]
    server: servers.Server | None

    def sql(self, statement: str, **values: object) -> list[Any]:
        engine = create_engine(self.address, poolclass=NullPool)
        with engine.begin() as connection:
            found = connection.execute(text(statement), values)
            return [tuple(row) for row in found] if found.returns_rows else []

    def rows(self) -> list[Any]:
        return [
            self.sql("SELECT image_id, name, value, created_at, updated_at FROM image_properties"),
            self.sql("SELECT status, updated_at FROM tasks WHERE id = :id", id=self.ids["task"]),
            self.sql("SELECT message FROM task_info WHERE task_id = :id", id=self.ids["task"]),
        ]

    @property
    def directories(self) -> Directories:
        stores = tuple((name, os.fsencode(self.top / name)) for name in ("fast", "slow"))
        return Directories(stores, os.fsencode(self.top / "staging"), None, self.address)

    @property
    def root(self) -> bytes:
        return public_address(self.address.encode())

    def opened(self, timeout_s: float = 20.0) -> Bench:
        options = Options(
            floor_s=0.0,
            observe_s=0.1,
            settle_s=0.1,
            directories=self.directories,
            access=Access(timeout_s=timeout_s),
        )
        return open_bench(self.root, options=options)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """The server answers nobody; a file is kept by whoever writes to it."""
        if self.server is None:
            with closing(sqlite3.connect(self.address.removeprefix("sqlite:///"))) as writer:
                writer.execute("BEGIN EXCLUSIVE")
                yield
            return
        self.server.hang()
        try:
            yield
        finally:
            self.server.go_on()

    def beat(self) -> None:
        """As the worker does."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        self.sql("UPDATE tasks SET updated_at = :now WHERE id = :id", id=self.ids["task"], now=now)

    def age(self) -> None:
        """As if the import had been killed 61 minutes ago, right after its file was begun."""
        then = (datetime.now(UTC) - timedelta(minutes=61)).replace(tzinfo=None, microsecond=0)
        told = then.isoformat(sep=" ") + ".000000"
        self.sql("UPDATE tasks SET updated_at = :then WHERE id = :id", then=told,
                 id=self.ids["task"])  # fmt: skip
        self.sql("UPDATE image_properties SET created_at = :then, updated_at = :then "
                 "WHERE name = :name", then=told, name=LOCK)  # fmt: skip
        part = self.top / "slow" / self.ids["active"]
        part.write_bytes(b"ab")
        at = then.replace(tzinfo=UTC).timestamp()
        os.utime(part, (at, at))


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Iterator[servers.Server | None]:
    if request.param == "sqlite":
        yield None
        return
    with getattr(servers, request.param)() as running:
        yield running


@pytest.fixture(scope="module")
def rows(
    server: servers.Server | None, tmp_path_factory: pytest.TempPathFactory, mother: Any
) -> Made:
    place = tmp_path_factory.mktemp("engine")
    top = place / "data"
    for name in ("fast", "slow", "staging"):
        (top / name).mkdir(parents=True)
    address = server.address if server else f"sqlite:///{place / 'glance.sqlite'}"
    config = place / "glance-api.conf"
    config.write_text(f"[database]\nconnection = {address}\n")
    ids = mother.rows(config, top / "fast")
    assert ids["second"] == "refused"
    for name in ("active", "saving", "deleted"):
        (top / "fast" / ids[name]).write_bytes(b"abc")
    return Made(address, top, ids, server)


@pytest.fixture
def made(rows: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """The rows, each test with a journal of its own; whoever releases the lock puts it back."""
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    return rows


def test_the_same_is_seen_in_every_database(made: Made) -> None:
    made.beat()
    with made.opened() as bench:
        result = bench.check()
        assert result.complete
        assert bench.root == made.root
    (entry,) = result.entries
    assert (entry.name, entry.verdict) == (f"fast/{made.ids['active']}", EntryVerdict.OK)
    assert (entry.title, entry.why) == ("<b>active</b>", "It fits the image's sha256.")
    (lock,) = result.locks
    assert (lock.id, lock.verdict) == (made.ids["task"], HoldVerdict.HELD)
    assert lock.owner["Message"] == "Copied 5 MiB"
    assert lock.owner["Status"] == "processing"
    assert "lasts an hour" in lock.explanation
    assert of(result.findings, "saving", made).severity is Severity.PROBLEM
    assert of(result.findings, "deleted", made).severity is Severity.NOTICE


def of(findings: tuple[Finding, ...], name: str, made: Made) -> Finding:
    path = os.fsencode(made.top / "fast" / made.ids[name])
    (found,) = [one for one in findings if one.path == path]
    assert found.kind is FindingKind.ORPHAN
    return found


def test_a_lock_is_released_in_one_transaction_and_put_back(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.age()
    before = made.rows()
    with made.opened() as bench:
        assert [one.verdict for one in bench.check().locks] == [HoldVerdict.STALE]
        plan = bench.plan(stale_only=True)
        (done,) = bench.repair(plan, apply=True)
        assert done.result is Result.DONE, done.reason
        assert bench.locks() == ()
    properties, tasks, told = made.rows()
    assert all(row[1] != LOCK for row in properties)
    assert [row[0] for row in tasks] == ["failure"]
    assert "released by Cachewright" in told[0][0]
    if made.server:
        without = undo(done.undo)
        assert without.result is not Result.DONE  # the password is kept nowhere
        assert servers.PASSWORD not in without.reason
        monkeypatch.setenv(PASSWORD, servers.PASSWORD)
    again = undo(done.undo)
    assert again.result is Result.DONE, again.reason
    assert made.rows() == before


def test_a_heartbeat_after_the_look_keeps_the_lock(made: Made) -> None:
    made.age()
    with made.opened() as bench:
        bench.check()
        plan = bench.plan(stale_only=True)
        made.beat()
        before = made.rows()
        (outcome,) = bench.repair(plan, apply=True)
        assert outcome.result is Result.REFUSED
        assert "another lock is there now" in outcome.reason
    assert made.rows() == before


def test_nothing_is_written_by_looking(made: Made) -> None:
    base = Database(made.address)
    with pytest.raises(StoreUnreadable, match=r"(?i)read.?only|only plain tables"):
        base.read(lambda connection: connection.execute(text("DELETE FROM task_info")))
    assert made.sql("SELECT count(*) FROM task_info")[0][0] == 2


def test_no_password_is_shown(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made.age()
    arguments = [made.address, "--observe", "0s", "--settle", "0s", "--floor", "0s"]
    for name in ("fast", "slow"):
        arguments += ["--store", f"{name}={made.top / name}"]
    plan = tmp_path / "plan.json"
    assert run(["plan", *arguments, "--stale", "-o", str(plan)]) == 0
    assert run(["check", *arguments]) == 1
    assert run(["locks", *arguments, "--json"]) == 0
    assert run(["repair", *arguments, "--plan", str(plan), "--apply", "--json"]) == 0
    monkeypatch.setenv(PASSWORD, servers.PASSWORD)
    assert run(["undo"]) == 0
    said = "".join(capsys.readouterr()) + plan.read_text()
    said += "".join(one.read_text() for one in (tmp_path / "state").iterdir() if one.is_file())
    assert made.root.decode() in said
    assert servers.PASSWORD not in said
    assert servers.QUOTED not in said


def test_a_database_that_hangs_is_a_gap_and_the_rest_is_looked_at(made: Made) -> None:
    with made.opened(timeout_s=1.0) as bench, made.hanging():
        result = bench.check()
    assert not result.complete
    why = "did not answer within 1 s" if made.server else "database is locked"
    assert why in result.gaps[0].reason
    assert {one.verdict for one in result.entries} == {EntryVerdict.UNVERIFIABLE}
    assert len([one for one in result.entries if one.name.startswith("fast/")]) == 3
    assert "The database could not be read" in result.entries[0].why
