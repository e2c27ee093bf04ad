"""Readers beside publishing: no read finds nothing, none finds files of two generations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.counts import Row
from tests.crash import filesystems
from tests.race import cells

PART = "readers"
FILE_SYSTEMS = ("ext4", "tmpfs")
READS = 1_000_000
PUBLISHES = 25_000


def run(quick: bool) -> Iterator[Row]:
    """On each file system; the quick version where the scratch directory happens to be."""
    for name in ["memory"] if quick else FILE_SYSTEMS:
        with cells.scratch() if quick else filesystems.scratch(name, "1g") as top:
            yield from _ours(top, name, quick)
            yield from _controls(top, name, quick)


def _raced(top: Path, publisher: str, publishes: int) -> cells.Counts:
    asked = []
    for number, share in enumerate(cells.shares(publishes)):
        place = top / f"{publisher}-{number}"
        place.mkdir()
        asked.append({"top": str(place), "publisher": publisher, "publishes": share})
    return cells.added(cells.run("tests.race.publishing", *asked))


def _ours(top: Path, where: str, quick: bool) -> Iterator[Row]:
    reads, publishes = (3_000, 300) if quick else (READS, PUBLISHES)
    seen = _raced(top, "ours", publishes)
    missing, mixed = seen["pinned missing"], seen["pinned mixed"]
    note = f"{seen['publishes']:,} publishes, {missing} missing, {mixed} mixed"
    yield Row(
        PART, f"{where}: directory pinned", seen["pinned reads"], missing + mixed, reads, note
    )
    note = f"{seen['path mixed']:,} mixed, which no rename can prevent"
    yield Row(
        PART, f"{where}: each file by path", seen["path reads"], seen["path missing"], 0, note
    )
    lacking = max(0, publishes - seen["publishes"])
    yield Row(PART, f"{where}: publishes", seen["publishes"], lacking, publishes)


def _controls(top: Path, where: str, quick: bool) -> Iterator[Row]:
    """Other ways to publish.  Between two renames is too short a time for a few readers."""
    harms = {"copied in": "missing", "file by file": "mixed"}
    for publisher, harm in (harms if quick else {"two renames": "missing", **harms}).items():
        seen = _raced(top, publisher, 200 if quick else 5_000)
        note = f"{harm}; {seen['publishes']} publishes"
        bad = seen[f"pinned {harm}"]
        yield Row(
            PART, f"{where}: {publisher}", seen["pinned reads"], bad, 0, note, expects_bad=True
        )
