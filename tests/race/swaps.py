"""Links and directories swapped into the way of everything that acts below a cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.counts import Row
from tests.race import cells
from tests.race.vectors import VECTORS

PART = "swaps"
TRIALS = 10_000
QUICK = 40
NAIVE = 4_000


def run(quick: bool, names: Iterable[str] = VECTORS) -> Iterator[Row]:
    """Every vector of these names; in the full version the naive way beside it, where there is
    one."""
    trials = QUICK if quick else TRIALS
    counts = _attacked(list(names), trials, naive_trials=0 if quick else NAIVE)
    for name in names:
        seen = _of(counts, f"{name} ours ")
        note = f"{seen['done']:,} done, {seen['swaps']:,} swaps, {seen['wrong']} wrong inside"
        yield Row(PART, name, seen["trials"], seen["touched"] + seen["wrong"], trials, note)
        naive = VECTORS[name].naive
        if naive is not None and not quick:
            seen = _of(counts, f"{name} naive ")
            note = f"{seen['touched']} touched outside, {seen['wrong']} wrong inside"
            bad = seen["touched"] + seen["wrong"]
            where = f"naive: {naive.__name__.replace('_', ' ')}"
            yield Row(PART, where, seen["trials"], bad, 0, note, expects_bad=True)


def _of(counts: cells.Counts, prefix: str) -> cells.Counts:
    found = {name: count for name, count in counts.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): count for name, count in found.items()}


def _attacked(names: list[str], trials: int, *, naive_trials: int) -> cells.Counts:
    with cells.scratch() as top:
        asked = []
        for number, share in enumerate(cells.shares(trials, busy=2)):
            place = top / str(number)
            place.mkdir()
            asked.append(
                {
                    "top": str(place),
                    "vectors": names,
                    "trials": share,
                    "naive_trials": naive_trials,
                    "seed": number + 1,
                }
            )
        return cells.added(cells.run("tests.race.swapped", *asked))
