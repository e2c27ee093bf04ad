"""A log made by hand, and every state of the disk that it tells of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.crash.power.cuts import Cut, Disk, dropped, ordered, survivors
from tests.crash.power.logwrites import DISCARD, ENTRY, FLUSH, FUA, HEAD, MAGIC, MARK, Log

SECTOR = 512
SECTORS = 8


def written(path: Path, entries: Sequence[tuple[int, bytes, int]], magic: int = MAGIC) -> Path:
    """A log of (sector, letter or mark, flags); a letter fills one sector."""
    content = HEAD.pack(magic, 1, len(entries), SECTOR).ljust(SECTOR, b"\0")
    for sector, what, flags in entries:
        told = what + b"\0" if flags & MARK else b""
        sectors = 0 if flags & MARK or not what else 1
        content += (ENTRY.pack(sector, sectors, flags, len(told)) + told).ljust(SECTOR, b"\0")
        if sectors and not flags & DISCARD:
            content += what * SECTOR
    path.write_bytes(content)
    return path


ENTRIES = (
    (0, b"a", 0),
    (0, b"begin", MARK),
    (1, b"b", 0),
    (2, b"c", FUA),
    (0, b"", FLUSH),
    (3, b"d", 0),
    (4, b"e", FUA),
    (1, b"f", 0),
    (2, b"-", DISCARD),
    (7, b"end", MARK),
)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log(written(tmp_path / "log", ENTRIES)) as opened:
        yield opened


def states(log: Log, cuts: Sequence[Cut], place: Path) -> list[bytes]:
    """One letter for each sector of the disk after each cut."""
    found = []
    with closing(Disk(log, place / "disk", SECTORS * SECTOR)) as disk:
        for cut in cuts:
            disk.write_state(cut, place / "image")
            image = (place / "image").read_bytes()
            found.append(image[::SECTOR].replace(b"\0", b".").rstrip(b"."))
    return found


def test_marks_and_writes_are_read(log: Log) -> None:
    assert dict(log.marks) == {"begin": 1, "end": 9}
    assert [write.changes for write in log.writes] == [
        *(True, False, True, True, False),
        *(True, True, True, True, False),
    ]


def test_another_file_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no log"):
        Log(written(tmp_path / "other", ENTRIES, magic=MAGIC + 1))


def test_every_prefix_between_the_marks_is_a_state(log: Log, tmp_path: Path) -> None:
    cuts = list(ordered(log, [(log.marks["begin"], log.marks["end"])]))
    assert [cut.number for cut in cuts] == [1, 2, 3, 5, 6, 7, 8]
    assert states(log, cuts, tmp_path) == [
        *(b"a", b"ab", b"abc", b"abcd", b"abcde", b"afcde", b"af.de")
    ]


def test_what_was_flushed_or_forced_is_never_dropped(log: Log, tmp_path: Path) -> None:
    cuts = [Cut(8, seed) for seed in range(64)]
    found = set(states(log, cuts, tmp_path))
    assert {state[:1] + state[4:5] for state in found} == {b"ae"}
    assert {state[1:4] for state in found} == {
        one + two + three for one in (b"b", b"f") for two in (b"c", b".") for three in (b"d", b".")
    }


def test_before_the_first_flush_anything_may_be_missing(log: Log) -> None:
    kept = {survivors(log, Cut(2, seed))[1].count(0) for seed in range(32)}
    assert kept == {0, 1}


def test_a_seed_is_the_same_state_in_every_run(log: Log, tmp_path: Path) -> None:
    spans = [(1, 3), (5, 9)]
    cuts = dropped(spans, 20)
    assert cuts == dropped(spans, 20)
    assert {cut.number for cut in cuts} <= {1, 2, 3, 5, 6, 7, 8, 9}
    assert states(log, cuts, tmp_path) == states(log, cuts, tmp_path)


def test_cuts_come_in_the_order_of_the_log(log: Log, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="order"):
        states(log, [Cut(8), Cut(2)], tmp_path)
