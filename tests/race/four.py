"""Four Cachewrights that repair the same caches at once: nothing is done twice or lost."""

from __future__ import annotations

from collections.abc import Iterator

from tests.counts import Row
from tests.race import cells
from tests.race.broken_cache import KINDS

PART = "four"
REPAIRS = 1_000
"""Half of them with one journal, half with two."""


def run(quick: bool) -> Iterator[Row]:
    repairs, each = (KINDS * 3, 3) if quick else (REPAIRS // 2, 10)
    for states, where in {1: "one journal", 2: "two journals"}.items():
        seen = _raced(repairs, each, states, alone=True)
        note = f"{seen['refused']:,} refused, {seen['waits']:,} waits; {_words(seen)}"
        yield Row(PART, where, seen["repairs"], _bad(seen) + seen["ended"], repairs, note)
    seen = _raced(KINDS * 6, 6, 1, alone=False)
    note = f"{seen['ended']} ended by errors; {_words(seen)}"
    yield Row(PART, "without the lock", seen["repairs"], _bad(seen), 0, note, expects_bad=True)


def _bad(seen: cells.Counts) -> int:
    return sum(seen[name] for name in ("left", "twice", "unlike", "lost"))


def _words(seen: cells.Counts) -> str:
    return ", ".join(f"{seen[name]} {name}" for name in ("left", "twice", "unlike", "lost"))


def _raced(repairs: int, each: int, states: int, *, alone: bool) -> cells.Counts:
    rounds = -(-repairs // (KINDS * each))
    with cells.scratch() as top:
        asked = {"each": each, "rounds": rounds, "states": states, "alone": alone}
        return cells.added(cells.run("tests.race.repairing", {"top": str(top), **asked}))
