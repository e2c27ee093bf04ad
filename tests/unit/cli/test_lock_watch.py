"""What a watcher of locks is told: changes, how long it has been so, and looks that failed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cachewright.cli import lock_view, lock_watch
from cachewright.cli.lock_changes import Changes
from cachewright.cli.lock_view import LockView
from cachewright.errors import CachewrightError, Cancelled, RootVanished, StoreUnreadable
from cachewright.model import CancelToken, Evidence, Holder, HoldVerdict, LockKind, LockReport, Says

HELD, FREE = HoldVerdict.HELD, HoldVerdict.FREE
HOLDER = Holder(
    pid=7, started_ns=1, user="root", command="tofu init", how=("lock:write",), start_ticks=5
)


def report(name: str = "a", verdict: HoldVerdict = FREE, **other: Any) -> LockReport:
    return LockReport(
        id=name,
        kind=other.pop("kind", LockKind.POSIX),
        path=b"/cache/" + name.encode(),
        verdict=verdict,
        subject=f"entry {name}",
        explanation=other.pop("explanation", "Nobody holds this."),
        **other,
    )


DOWN = StoreUnreadable(path=b"s3://bucket", reason="no answer", left="Nothing was changed.")
"""Stands for whatever may pass."""


class TestChanges:
    def test_the_first_look_is_no_change(self) -> None:
        changes = Changes(0.0)
        assert not changes.note([report()], 1.0)
        assert changes.word(report(), 1.0) == ""
        assert changes.lasted_s(report(), 9.0) == (9.0, True)

    def test_what_is_new_changed_or_gone_is_told_for_some_seconds(self) -> None:
        changes = Changes(0.0)
        changes.note([report("a"), report("b")], 0.0)
        held = report("a", HELD, holders=(HOLDER,))
        assert changes.note([held, report("c")], 5.0)
        for now, words in ((5.0, ("changed", "new")), (14.9, ("changed", "new")), (15.0, ("", ""))):
            assert (changes.word(held, now), changes.word(report("c"), now)) == words
            assert [one.id for one in changes.gone(now)] == (["b"] if now < 15.0 else [])
        assert changes.lasted_s(held, 25.0) == (20.0, False)
        assert not changes.note([held, report("c")], 26.0)

    def test_what_comes_back_is_new_and_not_gone(self) -> None:
        changes = Changes(0.0)
        changes.note([report()], 0.0)
        assert changes.note([], 1.0)
        assert changes.note([report()], 2.0)
        assert (changes.word(report(), 2.0), changes.gone(2.0)) == ("new", [])

    @pytest.mark.parametrize(
        "other",
        [
            {"verdict": HELD},
            {"holders": (HOLDER,)},
            {"holders": (replace(HOLDER, state="stopped"),)},
            {"holders": (replace(HOLDER, start_ticks=6),)},
            {"explanation": "Waiting for it: tofu (pid 8)."},
            {"owner": {"ID": "1"}},
            {"etag": "1"},
            {"garbage": True},
            {"fingerprint": "1"},
        ],
    )
    def test_what_makes_a_difference(self, other: dict[str, Any]) -> None:
        changes = Changes(0.0)
        changes.note([report()], 0.0)
        assert changes.note([report(**other)], 1.0)

    def test_looking_again_makes_none(self) -> None:
        """When it was looked at, and which processes could not be inspected."""
        changes = Changes(0.0)
        unknown = report(verdict=HoldVerdict.UNPROVEN, explanation="1 process, cron.")
        changes.note([unknown], 0.0)
        later = replace(
            unknown, explanation="2 processes.", evidence=(Evidence("x", Says.UNKNOWN, "y"),)
        )
        assert not changes.note([later], 1.0)

    def test_two_locks_on_one_file_are_two(self) -> None:
        changes = Changes(0.0)
        changes.note([report(), report(kind=LockKind.FLOCK)], 0.0)
        assert changes.note([report(), report(verdict=HELD, kind=LockKind.FLOCK)], 1.0)
        assert changes.word(report(), 1.0) == ""


class Bench:
    """Gives what it is told to, in turn."""

    root, title = b"/cache", "Toy cache"
    noted = False

    def __init__(self, *looks: tuple[LockReport, ...] | CachewrightError) -> None:
        self.looks = list(looks)

    def locks(self) -> tuple[LockReport, ...]:
        look = self.looks.pop(0)
        if isinstance(look, CachewrightError):
            raise look
        return look

    def notes(self) -> tuple[str, ...]:
        """Another note comes with the last look but one."""
        return ("a note",) if self.noted and len(self.looks) <= LAST_TWO else ()


LAST_TWO = 2


def told(
    looks: list[Any], *, as_json: bool, monkeypatch: pytest.MonkeyPatch, noted: bool = False
) -> None:
    """Watch these looks on something that is no terminal, and then be asked to stop."""
    bench: Any = Bench(*looks, Cancelled())
    bench.noted = noted
    monkeypatch.setattr(lock_watch, "usable", lambda: False)
    lock_watch.watch(bench, b"/cache", every_s=0.0, as_json=as_json)
    assert bench.looks == []


def test_a_look_that_fails_is_told_once_and_the_next_one_made(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(
        [(report(),), DOWN, DOWN, (report(),), (report(),)], as_json=False, monkeypatch=monkeypatch
    )
    out, err = capfd.readouterr()
    assert err.count("s3://bucket") == err.count("\n") == 1
    assert out.count("VERDICT") == 2, "what is there is told again when it can be seen again"


def test_programs_are_told_of_it_on_a_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told([(report(),), DOWN, DOWN, (report(),), (report(),)], as_json=True, monkeypatch=monkeypatch)
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    kinds = ["cachewright.locks/1", "cachewright.error/1", "cachewright.locks/1"]
    assert [line["schema"] for line in lines] == kinds
    assert err == ""


def test_programs_are_told_of_another_note(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told([(report(),)] * 4, as_json=True, monkeypatch=monkeypatch, noted=True)
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["notes"] for line in lines] == [[], ["a note"]]


def test_a_root_that_is_gone_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = RootVanished(path=b"/cache")
    with pytest.raises(RootVanished):
        told([(report(),), gone], as_json=False, monkeypatch=monkeypatch)


def test_the_first_look_fails_as_any_command_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnreadable):
        told([DOWN], as_json=False, monkeypatch=monkeypatch)


class TestView:
    @pytest.fixture
    def view(self, monkeypatch: pytest.MonkeyPatch) -> LockView:
        self.now = 100.0
        monkeypatch.setattr(lock_view.time, "monotonic", lambda: self.now)
        return LockView(b"/cache", "Toy cache", "every second")

    def lines(self, view: LockView, **how: bool) -> list[str]:
        return [text for text, _bold in view.lines(**how)]

    def test_it_says_how_long_it_has_been_so(self, view: LockView) -> None:
        view.note([report("a"), report("b")], ())
        self.now = 220.0
        view.note([report("a", HELD, holders=(HOLDER,)), report("b")], ())
        self.now = 225.0
        lines = self.lines(view)
        assert lines[:2] == ["/cache (Toy cache)", "2 locks: 1 held, 1 free."]
        (held,) = (line for line in lines if " held " in line)
        assert held.split()[:4] == ["changed", "held", "5", "seconds"]
        assert "pid 7 (root) tofu init: lock:write" in held
        (free,) = (line for line in lines if " free " in line)
        assert "over 2 minutes" in free

    def test_what_changed_stands_out_by_a_word_and_not_by_its_looks_alone(
        self, view: LockView
    ) -> None:
        view.note([report("a"), report("b")], ())
        view.note([report("a", HELD), report("c")], ())
        bold = [text for text, stands_out in view.lines() if stands_out][1:]
        assert [line.split()[0] for line in bold] == ["changed", "new", "gone"]

    def test_records_carry_their_words_too(self, view: LockView) -> None:
        view.note([], ())
        view.note([report("x", HELD, kind=LockKind.OBJECT)], ("A note.",))
        lines = self.lines(view)
        assert "new held: entry x (object), a moment" in lines
        assert lines[-1] == "A note."

    def test_a_failed_look_is_told_with_what_was_seen_before(self, view: LockView) -> None:
        view.note([report()], ())
        view.fail(DOWN)
        lines = self.lines(view)
        assert any("s3://bucket" in line for line in lines)
        assert any(" free " in line for line in lines)
        view.note([report()], ())
        assert not any("s3://bucket" in line for line in self.lines(view))

    def test_the_last_of_them_asks_for_nothing(self, view: LockView) -> None:
        view.note([], ())
        assert any("Ctrl-C" in line for line in self.lines(view))
        assert not any("Ctrl-C" in line for line in self.lines(view, final=True))
        assert "There are no locks here." in self.lines(view)


def test_waiting_is_not_put_off() -> None:
    """A token that was asked to stop ends a watch at once, whatever the interval."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        token.wait(3600)
