"""A source that is changed between being verified and being published: no bad byte gets in."""

from __future__ import annotations

from collections.abc import Iterator

from tests.counts import Row
from tests.race import cells
from tests.race.sourcing import WAYS

PART = "sources"
PUBLISHES = 10_000
"""Of all ways together; publications that were refused are not among them."""
QUICK = 100
NAIVE = 3_000


def run(quick: bool) -> Iterator[Row]:
    publishes = (QUICK if quick else PUBLISHES) // len(WAYS)
    for way, about in WAYS.items():
        seen = _raced(way, naive=False, publishes=publishes)
        refused = seen["tries"] - seen["done"]
        note = f"{refused:,} refused beside them, {seen['swaps']:,} swaps"
        yield Row(PART, way, seen["done"], seen["bad"], publishes, note)
        if about.naive and not quick:
            seen = _raced(way, naive=True, publishes=NAIVE)
            yield Row(PART, f"naive: {way}", seen["done"], seen["bad"], expects_bad=True)


def _raced(way: str, *, naive: bool, publishes: int) -> cells.Counts:
    with cells.scratch() as top:
        asked = []
        for number, share in enumerate(cells.shares(publishes, busy=2)):
            place = top / str(number)
            place.mkdir()
            asked.append(
                {
                    "top": str(place),
                    "way": way,
                    "naive": naive,
                    "publishes": share,
                    "seed": number + 1,
                }
            )
        return cells.added(cells.run("tests.race.sourcing", *asked))
