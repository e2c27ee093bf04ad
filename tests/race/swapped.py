"""Trials of one way to attack, ours and the naive way alike; run by ``cells.run``.

The look at all processes is left out (``arena.nobody``): it decides nothing about names, and
trials are many times as quick without it.
"""

from __future__ import annotations

from pathlib import Path

from tests.race import arena
from tests.race.cells import Counts, serve
from tests.race.vectors import VECTORS

from cachewright import holders


def attack(top: str, vector: str, naive: bool, trials: int, seed: int) -> Counts:
    setattr(holders, "survey", arena.nobody)  # noqa: B010 - publish() takes no look of its own
    return arena.run(VECTORS[vector], naive, Path(top), trials, seed)


if __name__ == "__main__":
    serve(attack)
