"""Links and directories swapped into the way of everything that acts below a cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.counts import Row
from tests.race import cells
from tests.race.vectors import VECTORS

PART = "swaps"
TRIALS = 10_000
QUICK = 60
NAIVE = 4_000


def run(quick: bool, names: Iterable[str] = VECTORS) -> Iterator[Row]:
    """Every vector of these names, and the naive way beside it where there is one."""
    trials = QUICK if quick else TRIALS
    for name in names:
        vector = VECTORS[name]
        seen = _attacked(name, naive=False, trials=trials)
        note = f"{seen['done']:,} done, {seen['swaps']:,} swaps, {seen['wrong']} wrong inside"
        yield Row(PART, name, seen["trials"], seen["touched"] + seen["wrong"], trials, note)
        if vector.naive is not None:
            seen = _attacked(name, naive=True, trials=NAIVE)
            what = vector.naive.__name__.replace("_", " ")
            note = f"{seen['touched']} touched outside, {seen['wrong']} wrong inside"
            bad = seen["touched"] + seen["wrong"]
            yield Row(PART, f"naive: {what}", seen["trials"], bad, 0, note, expects_bad=True)


def _attacked(name: str, *, naive: bool, trials: int) -> cells.Counts:
    with cells.scratch() as top:
        asked = []
        for number, share in enumerate(cells.shares(trials, busy=2)):
            place = top / str(number)
            place.mkdir()
            asked.append(
                {
                    "top": str(place),
                    "vector": name,
                    "naive": naive,
                    "trials": share,
                    "seed": number + 1,
                }
            )
        return cells.added(cells.run("tests.race.swapped", *asked))
