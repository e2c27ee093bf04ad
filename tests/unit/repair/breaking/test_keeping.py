"""What stands in for a lock meanwhile, what is durable, and lock-info files."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cachewright.model import Confirm, LockPlace, Result, StepKind
from cachewright.repair import breaking
from cachewright.repair.journal import Journal
from cachewright.repair.undo import undo
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.conftest import Starter
    from tests.unit.repair.breaking.conftest import Act, Shop

SHAPES = ("work.lock", "work.lnk", "work.dir")
DONE, REFUSED, FAILED = Result.DONE, Result.REFUSED, Result.FAILED


@pytest.mark.parametrize(
    "record", [b"", b"x\0y", b"x" * 5000, None, RuntimeError("no")], ids=lambda one: repr(one)[:20]
)
@pytest.mark.parametrize("name", SHAPES)
def test_a_format_may_say_anything_of_its_own_record(
    shop: Shop, name: str, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def own_record(_place: LockPlace) -> bytes | None:
        if isinstance(record, Exception):
            raise record
        return record  # type: ignore[no-any-return]

    monkeypatch.setattr(shop.knowledge, "own_record", own_record)
    shop.dead(name)
    assert shop.run(shop.plan(name)).result is DONE
    assert sorted(os.listdir(shop.path)) == ["stranger.cache"]


@pytest.mark.usefixtures("only_root")
@pytest.mark.parametrize("name", SHAPES)
def test_the_stand_in_can_be_released_by_whoever_could_release_the_lock(
    shop: Shop, name: str
) -> None:
    at, seen = shop.dead(name), []
    os.chown(at, 65_534, 65_534, follow_symlinks=False)
    if not at.is_symlink():
        at.chmod(0o750)
    before = at.lstat()
    plan = shop.plan(name)
    shop.look_then(lambda: seen.append(at.lstat()), after=2)
    assert shop.run(plan).result is DONE
    (found,) = seen
    assert found.st_ino != before.st_ino
    assert (found.st_uid, found.st_gid, found.st_mode) == (65_534, 65_534, before.st_mode)


@pytest.mark.parametrize("name", SHAPES)
def test_a_stand_in_that_cannot_be_made_leaves_all_as_it_is(
    shop: Shop, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = shop.dead(name)
    before = at.lstat().st_ino
    real = breaking.make_stand_in

    def full(*arguments: Any, **more: Any) -> Any:
        real(*arguments, **more)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(breaking, "make_stand_in", full)
    outcome = shop.run(shop.plan(name))
    assert (outcome.result, "No space left" in outcome.reason) == (FAILED, True)
    assert at.lstat().st_ino == before
    assert shop.quiet


def failing(*_arguments: Any, **_fields: Any) -> None:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_not_durable_is_put_back(
    shop: Shop, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = shop.dead(name)
    before = at.lstat().st_ino
    monkeypatch.setattr(breaking, "sync_directory", failing)
    assert shop.run(shop.plan(name)).result is Result.ROLLED_BACK
    assert at.lstat().st_ino == before
    assert shop.quiet
    assert shop.events() == ["started", "prepared", "rolled-back"]


def test_what_cannot_be_journaled_is_put_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    at = shop.dead("work.lock")
    before, real = at.lstat().st_ino, Journal.append

    def append(self: Journal, operation: str, event: Any, fields: Any) -> Any:
        if event.value == "done":
            raise OSError(28, "No space left on device")
        return real(self, operation, event, fields)

    monkeypatch.setattr(Journal, "append", append)
    assert shop.run(shop.plan("work.lock")).result is Result.ROLLED_BACK
    assert at.lstat().st_ino == before
    assert shop.quiet


def test_what_cannot_be_put_back_can_be_undone_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name was free for a moment, and somebody rightly took it."""
    at = shop.dead("work.lock")
    before = at.lstat().st_ino

    def take(_directory: Directory) -> None:
        at.write_bytes(b"new")
        failing()

    plan = shop.plan("work.lock")
    monkeypatch.setattr(breaking, "sync_directory", take)
    outcome = shop.run(plan)
    assert (outcome.result, "It is kept in" in outcome.reason) == (FAILED, True)
    assert at.read_bytes() == b"new"
    at.unlink()
    assert undo(shop.journal).result is DONE
    assert at.lstat().st_ino == before


def test_a_cache_without_a_quarantine_keeps_its_locks(shop: Shop) -> None:
    at = shop.dead("work.lock")
    (shop.path.parent / ".cachewright-quarantine").write_bytes(b"something else")
    outcome = shop.run(shop.plan("work.lock"))
    assert (outcome.result, "no place" in outcome.reason) == (REFUSED, True)
    assert at.exists()


def test_an_info_file_is_moved_while_its_lock_is_held(shop: Shop, act: Act) -> None:
    data = shop.path / "work.data"
    data.write_bytes(b"state")
    at = shop.write("work.info", b'{"id": "left"}')
    before, tried = data.stat(), []
    actor = act(data)
    attempt = (
        "__import__('subprocess').run([sys.executable, '-c', "
        "'import fcntl, os, sys; f = os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK);"
        " fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)', at]).returncode"
    )
    plan = shop.plan("work.info")
    shop.look_then(lambda: tried.extend([actor(attempt), at.exists()]), after=2)
    outcome = shop.run(plan)
    assert outcome.result is DONE
    assert tried == [1, False]  # it cannot be locked, and nothing stands in for what locks nothing
    assert not at.exists()
    after = data.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert undo(shop.journal).result is DONE
    assert at.read_bytes() == b'{"id": "left"}'


def test_an_info_file_of_a_held_lock_stays(shop: Shop, other: Starter) -> None:
    data = shop.path / "work.data"
    data.write_bytes(b"state")
    at = shop.write("work.info", b'{"id": "left"}')
    plan = shop.plan("work.info")
    one = other("f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); ready()", data)
    outcome = shop.run(plan)
    assert (outcome.result, f"pid {one.pid}" in outcome.reason) == (REFUSED, True)
    assert at.exists()


def test_an_info_file_without_its_lock_stays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    at = shop.write("work.info", b'{"id": "left"}')
    outcome = shop.run(shop.plan("work.info", Confirm.TYPED), "left")
    assert outcome.result is REFUSED
    (shop.path / "work.data").write_bytes(b"state")
    plan, place = shop.plan("work.info"), replace(shop.place("work.info"), guards=None)
    monkeypatch.setattr(shop.knowledge, "locks", lambda: (place,))
    outcome = shop.run(plan)
    assert (outcome.result, "cannot be held" in outcome.reason) == (REFUSED, True)
    assert at.exists()


def test_another_step_kind_breaks_no_lock(shop: Shop) -> None:
    at = shop.dead("work.lock")
    for kind in set(StepKind) - {StepKind.QUARANTINE_LOCK}:
        plan = shop.plan("work.lock", step=kind)
        assert shop.run(plan).result in {REFUSED, FAILED}
    assert at.exists()
