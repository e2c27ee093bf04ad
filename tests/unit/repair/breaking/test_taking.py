"""Races at the exchange: others take, release and replace the lock at every moment."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright import holders
from cachewright.model import Result
from cachewright.repair import taking
from cachewright.repair.journal import Journal
from cachewright.repair.undo import undo

if TYPE_CHECKING:
    from tests.unit.conftest import Starter
    from tests.unit.repair.breaking.conftest import Act, Shop

SHAPES = ("work.lock", "work.lnk", "work.dir")
DONE, REFUSED, FAILED = Result.DONE, Result.REFUSED, Result.FAILED


@pytest.mark.parametrize("name", SHAPES)
def test_a_stale_lock_goes_to_quarantine_and_comes_back(shop: Shop, name: str) -> None:
    at = shop.dead(name)
    before = (at.lstat().st_ino, shop.content(at), at.lstat().st_mode)
    outcome = shop.run(shop.plan(name))
    assert (outcome.result, outcome.reason) == (DONE, "Moved to quarantine.")
    assert sorted(os.listdir(shop.path)) == ["stranger.cache"]
    kept = shop.quarantine / str(outcome.undo) / "item"
    assert (kept.lstat().st_ino, shop.content(kept), kept.lstat().st_mode) == before
    assert shop.kept == [f"{outcome.undo}/item"]
    assert shop.events() == ["started", "prepared", "done"]
    assert undo(shop.journal, outcome.undo).result is DONE
    assert (at.lstat().st_ino, shop.content(at), at.lstat().st_mode) == before
    assert shop.quiet


@pytest.mark.parametrize("name", SHAPES)
def test_an_undo_never_takes_the_place_of_a_new_lock(shop: Shop, name: str) -> None:
    at = shop.dead(name)
    outcome = shop.run(shop.plan(name))
    shop.write(name, b'{"id": "new"}')
    assert undo(shop.journal, outcome.undo).result is REFUSED
    assert shop.content(at) == b'{"id": "new"}'
    assert shop.kept == [f"{outcome.undo}/item"]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("known", [True, False], ids=["as our process", "as the old one"])
def test_the_name_is_never_free_while_it_is_decided(
    shop: Shop, act: Act, name: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = shop.dead(name)
    old, actor, seen = shop.content(at), act(at), []
    if not known:
        monkeypatch.setattr(type(shop.knowledge), "own_record", lambda _self, _place: None)

    def look() -> None:
        seen.append((actor("blocked(at)"), actor("read(at)"), at.lstat()))

    shop.look_then(look, after=2)
    assert shop.run(shop.plan(name)).result is DONE
    ((blocked, record, found),) = seen
    assert blocked is True
    if known:
        assert json.loads(record)["pid"] == os.getpid()
        assert json.loads(record)["start"] == shop.format.whole_identity()["start"]
    else:
        assert record == old.decode().replace(" ", "")
    assert stat.S_IFMT(found.st_mode) == stat.S_IFMT(shop.seen_mode(name))
    assert actor("blocked(at)") is False


REPLACED = {
    "taken anew": '(remove(at), write(at, \'{"id":"new"}\'))',
    "by an equal one": "(lambda old: (remove(at), write(at, old)))(read(at))",
    "by a link": "(remove(at), os.symlink('x', at))",
    "by a directory": "(remove(at), os.mkdir(at))",
    "by a FIFO": "(remove(at), os.mkfifo(at))",
    "by a file": "(remove(at), open(at, 'w').close())",
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("how", REPLACED.values(), ids=REPLACED.keys())
@pytest.mark.parametrize("moment", ["before the look", "after the look", "at the exchange"])
def test_another_lock_is_given_its_name_back(
    shop: Shop,
    act: Act,
    *,
    name: str,
    how: str,
    moment: str,
    before_exchange: Callable[..., None],
) -> None:
    at = shop.dead(name)
    actor, plan = act(at), shop.plan(name)
    new: list[int] = []

    def replace_it() -> None:
        actor(how)
        new.append(at.lstat().st_ino)

    if moment == "before the look":
        replace_it()
    elif moment == "after the look":
        shop.look_then(replace_it, after=1)
    else:
        before_exchange(replace_it)
    outcome = shop.run(plan)
    assert outcome.result is REFUSED
    assert at.lstat().st_ino == new[0]
    assert shop.quiet
    events = ["started", "prepared", "rolled-back"] if moment == "at the exchange" else []
    assert shop.events() == events


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_seen_to_be_another_is_not_even_touched(
    shop: Shop, act: Act, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced after the look: its new owner is not disturbed for a moment."""
    at = shop.dead(name)
    actor, plan, real = act(at), shop.plan(name), Journal.append

    def append(self: Journal, operation: str, event: Any, fields: Any) -> Any:
        if event.value == "started":
            actor("(remove(at), write(at, '[1]'))")
        return real(self, operation, event, fields)

    monkeypatch.setattr(Journal, "append", append)
    monkeypatch.setattr(taking, "exchange", lambda *_names: pytest.fail("it was touched"))
    assert shop.run(plan).result is REFUSED
    assert shop.content(at) == b"[1]"
    assert shop.quiet


@pytest.mark.parametrize("name", ["work.lock", "work.dir"])
def test_the_same_inode_with_another_record_is_another_lock(
    shop: Shop, act: Act, name: str, before_exchange: Callable[..., None]
) -> None:
    """Even if it is as long as before, and its times are set back."""
    at = shop.dead(name)
    actor, plan = act(at), shop.plan(name)
    file = at / "owner.json" if name == "work.dir" else at
    before, times = shop.content(at), file.stat()

    def rewrite() -> None:
        path = os.fspath(file)
        actor(f"open({path!r}, 'r+').write('[')")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    before_exchange(rewrite)
    assert shop.run(plan).result is REFUSED
    assert shop.content(at) == b"[" + before[1:]
    assert shop.quiet


@pytest.mark.parametrize("name", SHAPES)
def test_what_vanishes_is_let_go(
    shop: Shop, act: Act, name: str, before_exchange: Callable[..., None]
) -> None:
    for moment in ("before", "after the look", "at the exchange"):
        at = shop.dead(name)
        actor, plan = act(at), shop.plan(name)
        if moment == "before":
            actor("remove(at)")
        elif moment == "after the look":
            shop.look_then(lambda actor=actor: actor("remove(at)"), after=1)
        else:
            before_exchange(lambda actor=actor: actor("remove(at)"))
        outcome = shop.run(plan)
        assert (outcome.result, "it is gone" in outcome.reason) == (REFUSED, True)
        assert not os.path.lexists(at)
        assert shop.quiet


@pytest.mark.parametrize("name", SHAPES)
def test_a_new_lock_that_is_released_while_we_have_it_is_not_put_back(
    shop: Shop, act: Act, name: str, before_exchange: Callable[..., None]
) -> None:
    """Its owner removes what has its name: our stand-in."""
    at = shop.dead(name)
    actor, plan = act(at), shop.plan(name)
    before_exchange(lambda: actor("(remove(at), write(at, '{}'))"), nth=1)
    before_exchange(lambda: actor("remove(at)"), nth=2)
    assert shop.run(plan).result is REFUSED
    assert not os.path.lexists(at)
    assert shop.quiet


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("owners", [1, 2, 5])
def test_whoever_has_the_lock_at_the_end_has_its_name(
    shop: Shop, act: Act, name: str, owners: int, before_exchange: Callable[..., None]
) -> None:
    """While we give one lock back its owner releases it, and the next one takes it."""
    at = shop.dead(name)
    actor, plan = act(at), shop.plan(name)
    before_exchange(lambda: actor("(remove(at), write(at, '[0]'))"), nth=1)
    for one in range(owners):
        before_exchange(
            lambda one=one: actor(f"(remove(at), write(at, '[{one + 1}]'))"), nth=2 + one
        )
    assert shop.run(plan).result is REFUSED
    assert shop.content(at) == b"[%d]" % owners
    assert shop.quiet


def test_who_takes_and_releases_for_ever_ends_it(
    shop: Shop, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = shop.dead("work.lock")
    actor, plan, real = act(at), shop.plan("work.lock"), taking.exchange

    def exchange(*names: Any) -> None:
        actor("(remove(at), write(at, '{}'))")
        real(*names)

    monkeypatch.setattr(taking, "exchange", exchange)
    monkeypatch.setattr(taking, "_TRIES", 5)
    outcome = shop.run(plan)
    assert (outcome.result, "again and again" in outcome.reason) == (FAILED, True)
    assert at.exists()
    assert shop.events() == ["started", "prepared"]  # left to be ended by a recovery


@pytest.mark.parametrize("name", SHAPES)
def test_an_owner_that_lives_after_all_may_release_it_meanwhile(
    shop: Shop, act: Act, name: str
) -> None:
    """The ID was typed for a lock that nobody could judge; its owner lets go at that moment."""
    at = shop.write(name, b'{"id": "typed-id"}')
    actor, plan = act(at), shop.plan(name)
    shop.look_then(lambda: actor("remove(at)"), after=2)
    assert shop.run(plan, "typed-id").result is DONE
    assert not os.path.lexists(at)
    assert len(shop.kept) == 1


@pytest.mark.parametrize("name", SHAPES)
def test_who_takes_the_released_name_meanwhile_keeps_it(
    shop: Shop, act: Act, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not even moved for a moment."""
    at = shop.write(name, b'{"id": "typed-id"}')
    actor, plan = act(at), shop.plan(name)
    shop.look_then(lambda: actor("(remove(at), write(at, '[1]'))"), after=2)
    real, moved = taking.rename_noreplace, []

    def rename(directory: Any, *names: Any) -> None:
        moved.append(directory.path)
        real(directory, *names)

    monkeypatch.setattr(taking, "rename_noreplace", rename)
    assert shop.run(plan, "typed-id").result is DONE
    assert shop.root.path not in moved
    assert shop.content(at) == b"[1]"
    assert len(shop.kept) == 1


@pytest.mark.parametrize("name", SHAPES)
def test_who_takes_it_as_the_stand_in_goes_gets_it_back(
    shop: Shop, act: Act, name: str, before_rename: Callable[..., None]
) -> None:
    at = shop.dead(name)
    actor, plan = act(at), shop.plan(name)
    before_rename(lambda: actor("(remove(at), write(at, '[1]'))"), nth=1)
    assert shop.run(plan).result is DONE
    assert shop.content(at) == b"[1]"
    assert len(shop.kept) == 1


def test_two_that_take_it_as_the_stand_in_goes_are_told_of(
    shop: Shop, act: Act, before_rename: Callable[..., None]
) -> None:
    at = shop.dead("work.lock")
    actor, plan = act(at), shop.plan("work.lock")
    before_rename(lambda: actor("(remove(at), write(at, '[1]'))"), nth=1)
    before_rename(lambda: actor("write(at, '[2]')"), nth=2)
    outcome = shop.run(plan)
    assert (outcome.result, "It is kept in" in outcome.reason) == (FAILED, True)
    assert shop.content(at) == b"[2]"


def test_a_stand_in_that_cannot_go_is_exchanged_again(
    shop: Shop, before_rename: Callable[..., None]
) -> None:
    at = shop.dead("work.lock")
    plan, before = shop.plan("work.lock"), at.lstat().st_ino

    def fail() -> None:
        raise OSError(5, "Input/output error")

    before_rename(fail, nth=1)
    assert shop.run(plan).result is Result.ROLLED_BACK
    assert at.lstat().st_ino == before
    assert shop.quiet


def test_a_lock_that_cannot_be_laid_down_gets_its_name_again(
    shop: Shop, before_rename: Callable[..., None]
) -> None:
    at = shop.dead("work.lock")
    plan, before = shop.plan("work.lock"), at.lstat().st_ino

    def fail() -> None:
        raise OSError(28, "No space left on device")

    before_rename(fail, nth=2)
    assert shop.run(plan).result is Result.ROLLED_BACK
    assert at.lstat().st_ino == before
    assert shop.quiet


LATE = {
    "reads it": "f = open(sys.argv[1]); ready()",
    "maps it": "bare_mmap(sys.argv[1], False); ready()",
}


@pytest.mark.parametrize("code", LATE.values(), ids=LATE.keys())
def test_who_takes_hold_at_the_last_moment_keeps_it(
    shop: Shop, other: Starter, before_exchange: Callable[..., None], code: str
) -> None:
    shop.survey = holders.survey
    at = shop.dead("work.lock")
    plan, before = shop.plan("work.lock"), at.lstat().st_ino
    before_exchange(lambda: other(code, at))
    outcome = shop.run(plan)
    assert (outcome.result, "has it in use" in outcome.reason) == (REFUSED, True)
    assert at.lstat().st_ino == before
    assert shop.quiet


def test_who_steps_into_a_lock_directory_at_the_last_moment_keeps_it(
    shop: Shop, other: Starter, before_exchange: Callable[..., None]
) -> None:
    shop.survey = holders.survey
    at = shop.dead("work.dir")
    plan, before = shop.plan("work.dir"), at.lstat().st_ino
    before_exchange(lambda: other("os.chdir(sys.argv[1]); ready()", at))
    assert shop.run(plan).result is REFUSED
    assert at.lstat().st_ino == before


@pytest.mark.parametrize("by", ["a directory", "a link"])
def test_a_parent_that_is_swapped_leads_nowhere_else(
    shop: Shop, by: str, before_exchange: Callable[..., None], tmp_path: Path
) -> None:
    (shop.path / "sub").mkdir()
    shop.dead("sub/work.lock")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "work.lock").write_bytes(b"not yours")
    plan = shop.plan("sub/work.lock")

    def swap_it() -> None:
        (shop.path / "sub").rename(tmp_path / "moved")
        if by == "a link":
            (shop.path / "sub").symlink_to(elsewhere)
        else:
            elsewhere.rename(shop.path / "sub")

    before_exchange(swap_it)
    shop.run(plan)
    assert (shop.path / "sub" / "work.lock").read_bytes() == b"not yours"
    assert not (tmp_path / "moved" / "work.lock").exists()
    assert len(shop.kept) == 1
