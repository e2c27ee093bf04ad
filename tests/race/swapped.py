"""Trials of ways to attack, ours and the naive ones; run by ``cells.run``.

The look at all processes is left out (``arena.nobody``): it decides nothing about names, and
trials are many times as quick without it.
"""

from __future__ import annotations

from pathlib import Path

from tests.race import arena
from tests.race.cells import Counts, serve
from tests.race.vectors import VECTORS

from cachewright import holders


def attack(top: str, vectors: list[str], trials: int, naive_trials: int, seed: int) -> Counts:
    """``<vector> ours <count>`` of each, and ``<vector> naive <count>`` where there is such."""
    setattr(holders, "survey", arena.nobody)  # noqa: B010 - publish() takes no look of its own
    counts: Counts = {}
    for number, name in enumerate(vectors):
        vector = VECTORS[name]
        ways = {
            "ours": trials,
            **({"naive": naive_trials} if vector.naive and naive_trials else {}),
        }
        for way, wanted in ways.items():
            place = Path(top) / f"{number}-{way}"
            place.mkdir()
            seen = arena.run(vector, way == "naive", place, wanted, seed)
            counts.update({f"{name} {way} {what}": count for what, count in seen.items()})
    return counts


if __name__ == "__main__":
    serve(attack)
