"""What must be on disk before the next step is taken (reliability.md B3).

Power cuts prove it where a virtual machine may be used (tests/crash); this holds the order itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cachewright.model import Result, StepKind
from cachewright.repair import publication, removing, rewriting
from cachewright.repair.journal import Journal
from cachewright.repair.undo import undo

Told = list[tuple[str, Any]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """In their order: what is made durable (by inode), what is moved, what is journaled."""
    events: Told = []
    fsync, append = os.fsync, Journal.append

    def synced(fd: int) -> None:
        fsync(fd)
        events.append(("sync", os.fstat(fd).st_ino))

    def appended(self: Journal, operation: str, event: Any, fields: Any) -> Any:
        events.append(("record", str(event)))
        return append(self, operation, event, fields)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Journal, "append", appended)
    for owner, name in (
        (publication, "exchange"),
        (removing, "rename_noreplace"),
        (rewriting, "exchange"),
    ):
        moved(events, monkeypatch, owner, name)
    return events


def moved(events: Told, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    real = getattr(owner, name)

    def noted(*arguments: Any) -> None:
        real(*arguments)
        events.append(("move", name))

    monkeypatch.setattr(owner, name, noted)


def at(told: Told, what: str, which: Any = None) -> list[int]:
    return [n for n, one in enumerate(told) if one[0] == what and which in {None, one[1]}]


def in_between(told: Told, inode: int, first: int, last: int) -> bool:
    """Whether it was made durable after the one event and before the other."""
    return any(first < n < last for n in at(told, "sync", inode))


def test_all_that_is_published_is_on_disk_before_it_is_seen(bench: Any, told: Told) -> None:
    bench.knowledge.good_copies = [bench.good_copy()]
    told.clear()
    outcome = bench.one(StepKind.REPUBLISH_ENTRY, "bad")
    assert outcome.result is Result.DONE
    (move,) = at(told, "move")
    for path in (bench.path / "bad", *(bench.path / "bad").rglob("*")):
        assert in_between(told, path.stat().st_ino, -1, move), path.name
    place = (bench.quarantine / outcome.undo).stat().st_ino
    assert in_between(told, place, -1, move)
    assert at(told, "record", "prepared")[0] < move


@pytest.mark.parametrize("step", [StepKind.REPUBLISH_ENTRY, StepKind.QUARANTINE_ENTRY])
def test_both_places_are_on_disk_before_it_is_done(bench: Any, told: Told, step: StepKind) -> None:
    bench.knowledge.good_copies = [bench.good_copy()]
    told.clear()
    outcome = bench.one(step, "bad")
    done, move = at(told, "record", "done")[0], at(told, "move")[0]
    assert in_between(told, bench.path.stat().st_ino, move, done)
    assert in_between(told, (bench.quarantine / outcome.undo).stat().st_ino, move, done)
    assert at(told, "record", "started")[0] < move


def test_a_record_is_on_disk_before_it_is_seen_and_its_place_before_it_is_done(
    bench: Any, told: Told, tmp_path: Path
) -> None:
    record = tmp_path / "project" / "shelf.lock"
    record.parent.mkdir()
    record.write_bytes(b"good\npoison\n")
    outcome = bench.one(StepKind.DROP_POISONED_CHECKSUM, record, detail={"drop": "poison\n"})
    assert outcome.result is Result.DONE
    done, move = at(told, "record", "done")[0], at(told, "move")[0]
    assert in_between(told, record.stat().st_ino, -1, move)
    assert in_between(told, record.parent.stat().st_ino, move, done)
    kept = tmp_path / "state" / "kept" / outcome.undo
    for path in (kept / "content", kept, kept.parent):
        assert in_between(told, path.stat().st_ino, -1, move)


def test_each_record_of_the_journal_is_on_disk_when_it_counts(bench: Any, told: Told) -> None:
    bench.one(StepKind.QUARANTINE_ENTRY, "bad")
    assert undo(bench.journal).result is Result.DONE
    journal = Path(os.fsdecode(bench.journal.path)).stat().st_ino
    records = at(told, "record")
    for record, following in zip(records, [*records[1:], len(told)], strict=True):
        assert in_between(told, journal, record, following)
