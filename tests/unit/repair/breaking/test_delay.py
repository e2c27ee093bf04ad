"""After a break without proof, nothing else is touched for the format's time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright.errors import NothingToUndo
from cachewright.model import Confirm, Result, StepKind
from cachewright.repair import breaking, delay
from cachewright.repair.journal import Journal
from cachewright.repair.operations import operations
from cachewright.repair.records import Event
from cachewright.repair.undo import undo
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.unit.repair.breaking.conftest import Shop

DONE, REFUSED = Result.DONE, Result.REFUSED
WRITES = sorted(set(StepKind) - delay.RELEASES)
BOOT = "01234567-89ab-4cde-8f01-23456789abcd"


@pytest.fixture
def broken(shop: Shop) -> str:
    """A lock was broken whose owner nobody could judge; the ID of that."""
    shop.write("work.lock", b'{"id": "typed-id"}')
    outcome = shop.run(shop.plan("work.lock"), "typed-id")
    assert outcome.result is DONE
    assert outcome.reason.endswith("Nothing else is changed in this cache for 60 seconds.")
    return str(outcome.undo)


def refusal(shop: Shop) -> str:
    """Why the cache is left alone now; empty where it is not."""
    try:
        delay.refuse_during_delay(
            shop.journal, shop.root.path, shop.root.identity.as_json(), b"/entry"
        )
    except delay.Refused as error:
        return str(error)
    return ""


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let time go by, as the clock tells it that nobody sets."""
    real, passed = delay._boottime_ns, [0.0]

    def advance(seconds: float) -> None:
        passed[0] += seconds

    monkeypatch.setattr(delay, "_boottime_ns", lambda: real() + int(passed[0] * 10**9))
    return advance


@pytest.mark.parametrize("step", WRITES)
def test_every_step_that_writes_is_held_up(shop: Shop, broken: str, step: StepKind) -> None:
    assert broken
    shop.dead("other.lock")
    plan = shop.plan("other.lock", step=step)
    outcome = shop.run(plan)
    assert outcome.result is REFUSED
    assert "nothing else is changed here for another" in outcome.reason
    assert outcome.reason.endswith((" seconds.", " second."))


def test_it_lasts_as_long_as_the_format_says(shop: Shop, broken: str, later: Any) -> None:
    assert broken
    assert "for another 60 seconds" in refusal(shop)
    later(58.5)
    assert "for another 1 second." in refusal(shop) or "for another 2 seconds." in refusal(shop)
    later(1.6)
    assert refusal(shop) == ""


def test_other_locks_are_not_held_up(shop: Shop, broken: str) -> None:
    assert broken
    shop.dead("other.lock")
    assert shop.run(shop.plan("other.lock")).result is DONE


def test_a_proven_lock_needs_no_delay(shop: Shop) -> None:
    shop.dead("work.lock")
    shop.run(shop.plan("work.lock"))
    assert refusal(shop) == ""
    shop.dead("work.lnk")
    assert shop.run(shop.plan("work.lnk", Confirm.TYPED), "old").result is DONE
    assert refusal(shop) == ""


def test_an_info_file_needs_no_delay(shop: Shop) -> None:
    """The lock that it describes was ours all the time."""
    (shop.path / "work.data").touch()
    shop.write("work.info", b"{}")
    report = shop.seen("work.info")
    assert shop.run(shop.plan("work.info", Confirm.TYPED), report.id).result is DONE
    assert refusal(shop) == ""


def test_what_was_refused_or_put_back_needs_no_delay(shop: Shop) -> None:
    at = shop.write("work.lock", b'{"id": "typed-id"}')
    plan = shop.plan("work.lock")
    assert shop.run(plan, "another").result is REFUSED
    shop.look_then(lambda: (at.unlink(), at.write_bytes(b"new")), after=1)
    assert shop.run(plan, "typed-id").result is REFUSED
    assert refusal(shop) == ""


def test_what_was_put_back_needs_no_delay(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    at = shop.write("work.lock", b'{"id": "typed-id"}')
    plan = shop.plan("work.lock")

    def fail(_directory: Directory) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(breaking, "sync_directory", fail)
    assert shop.run(plan, "typed-id").result is Result.ROLLED_BACK
    assert at.exists()
    assert refusal(shop) == ""


def test_a_break_that_was_interrupted_counts(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Torn(BaseException):
        pass

    real = Journal.append

    def append(self: Journal, operation: str, event: Event, fields: Any) -> Any:
        if event is not Event.STARTED:
            raise Torn
        return real(self, operation, event, fields)

    shop.write("work.lock", b'{"id": "typed-id"}')
    plan = shop.plan("work.lock")
    monkeypatch.setattr(Journal, "append", append)
    with pytest.raises(Torn):
        shop.run(plan, "typed-id")
    monkeypatch.undo()
    assert [one.event for one in operations(shop.journal.records())] == [Event.STARTED]
    assert refusal(shop)


def test_another_cache_is_not_held_up(shop: Shop, broken: str, tmp_path: Path) -> None:
    assert broken
    (tmp_path / "second").mkdir()
    with Directory.open(os.fsencode(tmp_path / "second")) as root:
        delay.refuse_during_delay(shop.journal, root.path, root.identity.as_json(), b"/entry")


def test_the_same_cache_by_another_name_is_held_up(shop: Shop, broken: str) -> None:
    assert broken
    identity = shop.root.identity.as_json()
    with pytest.raises(delay.Refused):
        delay.refuse_during_delay(shop.journal, b"/elsewhere", identity, b"/entry")
    with pytest.raises(delay.Refused):
        delay.refuse_during_delay(shop.journal, shop.root.path, None, b"/entry")


def test_a_clock_that_is_set_changes_nothing(
    shop: Shop, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken
    for day in (-86_400, 86_400):
        real = delay.time.time_ns
        monkeypatch.setattr(delay.time, "time_ns", lambda real=real, day=day: real() + day * 10**9)
        assert "for another 60 seconds" in refusal(shop)
        monkeypatch.undo()


def test_after_a_restart_the_clock_counts_and_the_boot_at_least(
    shop: Shop, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken
    monkeypatch.setattr(delay, "boot_id", lambda: BOOT)
    monkeypatch.setattr(delay, "_boottime_ns", lambda: 5 * 10**9)
    assert "for another 5" in refusal(shop)
    monkeypatch.setattr(delay, "_boottime_ns", lambda: 61 * 10**9)
    assert refusal(shop) == ""
    monkeypatch.setattr(delay, "_boottime_ns", lambda: 5 * 10**9)
    now = delay.time.time_ns()
    monkeypatch.setattr(delay.time, "time_ns", lambda: now + 61 * 10**9)
    assert refusal(shop) == ""


def test_the_break_itself_can_be_undone(shop: Shop, broken: str) -> None:
    assert undo(shop.journal, broken).result is DONE
    assert refusal(shop)  # its owner may have noticed in between


def test_nothing_else_can_be_undone_meanwhile(
    shop: Shop, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an undo writes is guarded by the same lock."""
    real = Journal.append

    def append(self: Journal, operation: str, event: Event, fields: Any) -> Any:
        wanted = {**fields, "step": "quarantine-entry"} if "step" in fields else fields
        return real(self, operation, event, wanted)

    shop.dead("entry.lock")
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", append)
        moved = shop.run(shop.plan("entry.lock"))
    shop.write("work.lock", b'{"id": "typed-id"}')
    shop.run(shop.plan("work.lock"), "typed-id")
    outcome = undo(shop.journal, moved.undo)
    assert (outcome.result, "nothing else is changed" in outcome.reason) == (REFUSED, True)
    later(61)
    assert undo(shop.journal, moved.undo).result is DONE
    with pytest.raises(NothingToUndo):
        undo(shop.journal, moved.undo)


def test_formats_say_how_long(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.format.Stranger, "lock_delay_s", 300.0)
    shop.write("work.lock", b'{"id": "typed-id"}')
    outcome = shop.run(shop.plan("work.lock"), "typed-id")
    assert outcome.reason.endswith("for 300 seconds.")
    assert "for another 300 seconds" in refusal(shop)


def test_a_journal_without_breaks_holds_nothing_up(shop: Shop) -> None:
    assert refusal(shop) == ""
