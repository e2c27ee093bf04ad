"""Which repairs have no end is told without reading the journal again and again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cachewright.repair.journal import Journal
from cachewright.repair.records import Event, pack
from cachewright.workbench import interrupted, recover
from cachewright.workbench.history import interrupted_words

STARTED = {"step": "quarantine-entry", "subject": "x", "path": pack(b"/c/x"), "gates": []}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def start(state: Path, operation: str, root: bytes) -> None:
    journal = Journal.open(os.fsencode(state))
    journal.append(operation, Event.STARTED, {**STARTED, "root": pack(root)})
    journal.close()


def test_looking_makes_nothing(state: Path) -> None:
    assert (interrupted(), interrupted_words(b"/c"), state.exists()) == (0, (), False)


def test_they_are_counted_for_each_cache(state: Path) -> None:
    start(state, "a", b"/c")
    start(state, "b", b"/c")
    start(state, "c", b"/d")
    assert (interrupted(), interrupted(b"/c"), interrupted(b"/e")) == (3, 2, 0)
    (words,) = interrupted_words(b"/c")
    assert words.startswith("2 repairs of this cache have no end")
    assert interrupted_words(b"/d")[0].startswith("1 repair of this cache has no end")


def test_it_is_read_again_only_when_it_has_changed(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(state, "a", b"/c")
    assert interrupted() == 1
    reads, real = [], Journal._read
    monkeypatch.setattr(Journal, "_read", lambda self: reads.append(1) or real(self))
    assert (interrupted(), interrupted(b"/c"), reads) == (1, 1, [])
    start(state, "b", b"/c")
    reads.clear()
    assert (interrupted(), len(reads)) == (2, 1)


def test_a_damaged_journal_is_no_reason_not_to_look(state: Path) -> None:
    start(state, "a", b"/c")
    (state / "journal.jsonl").write_bytes(b"{}\n")
    assert (interrupted(), interrupted_words(b"/c")) == (0, ())


def test_what_has_no_cache_any_more_is_ended(state: Path, tmp_path: Path) -> None:
    start(state, "a", os.fsencode(tmp_path / "gone"))
    assert [one.result for one in recover()] == ["done"]
    assert interrupted() == 0
