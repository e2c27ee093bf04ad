"""Where one trial after the other is held: a cache, what lies outside of it, and attackers."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.race.attacking import attacker
from tests.race.canary import Outside
from tests.race.cells import Counts
from tests.unit.repair.conftest import GOOD, Bench

from cachewright.errors import CachewrightError
from cachewright.holders import Survey
from cachewright.model import Outcome, Result
from cachewright.repair.journal import Journal
from cachewright.repair.subject import LookAround
from cachewright.storage.anchored import Directory

QUICK_S: Final = 0.0003
"""The longest pause of an attacker where what it meets takes no longer."""
ENOUGH: Final = 3
"""Escapes after which a naive way needs no more trials."""
JOURNAL: Final = 8
"""Calls with one journal, which is read whole again and again."""


def nobody(prefixes: Sequence[bytes], devices: frozenset[int]) -> Survey:
    """Stands for the look at all processes, which takes longer than all the rest of a trial:
    nobody has anything open here, and who has decides nothing about where names lead."""
    del prefixes, devices
    return Survey((), 0, "", 0)


class Arena:
    """One trial's place after the other.  ``top`` is always the same path, so that attackers
    need not be told.  ``escaped``: what was tried reached something outside; ``judged``: the
    inode of what it was to work on."""

    def __init__(self, top: Path, outside: Outside, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a seed makes it repeatable
        self.top = top
        self.outside = outside
        self.cache = top / "cache"
        self.look: LookAround = nobody
        self.escaped = False
        self.judged = 0
        self.journal = self._journal(0)

    def _journal(self, number: int) -> Journal:
        return Journal.open(os.fsencode(self.top.with_name(f"state-{number}")))

    def make(self, number: int, journal: int) -> None:
        """A good and a bad entry, and one in a directory of its own."""
        if number % journal == 0:
            self.journal.close()
            self.journal = self._journal(number)
        self.escaped = False
        self.top.mkdir()
        for name, content in (("good", GOOD), ("bad", b"BAD"), ("p/entry", b"BAD")):
            fill(self.cache / name, content)
        self.judged = (self.cache / "bad").stat().st_ino

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        """The cache as a repair sees it; everything is judged when this is entered."""
        with Directory.open(os.fsencode(self.cache)) as root:
            yield Bench(self.cache, root, self.journal, look=self.look)

    def let_loose(self, vector: Vector) -> None:
        """Make what the attackers put in the place of things: they can begin.  What
        they find at work begins a moment later, so that it meets all states of things."""
        target = self.outside.top / vector.target
        for number in range(vector.links):
            made = self.top / "link"
            os.link(target, made) if vector.hard else os.symlink(target, made)
            os.rename(made, self.top / f"evil-{number}")
        until = time.monotonic() + self._chance.uniform(0, QUICK_S)
        while time.monotonic() < until:
            pass

    def calm(self, vector: Vector) -> None:
        """Take away what the attackers need; nothing moves any more."""
        for number in range(vector.links):
            with suppress(FileNotFoundError):
                os.rename(self.top / f"evil-{number}", self.top / f"gone-{number}")

    def clear(self) -> None:
        shutil.rmtree(self.top)

    def close(self) -> None:
        self.journal.close()


def fill(entry: Path, content: bytes) -> None:
    """An entry of the shelf."""
    (entry / "sub").mkdir(parents=True)
    for name, of_file in (("data", content), ("run", b"#!"), ("sub/more", b"more")):
        (entry / name).write_bytes(of_file)
        (entry / name).chmod(0o644)


Prepare = Callable[[Arena, ExitStack], Callable[[], object]]
"""Makes more of the arena and returns what is then tried; what it opens goes to the stack."""


@dataclass(frozen=True)
class Vector:
    """One way to attack.

    ``pairs`` are exchanged while ours, or the naive way, is at work.  ``target`` is where the
    link leads that they put in, below the outside (``hard``: it is a second name of that file
    instead); ``links`` of them, and ``pause_s`` their longest pause.  ``wrong`` looks for harm
    inside the arena, told whether the work says that it was done.  One call counts as
    ``trials``; so many calls share a ``journal``.
    """

    pairs: tuple[tuple[str, str], ...]
    target: str
    ours: Prepare
    naive: Prepare | None
    wrong: Callable[[Arena, bool], bool] = lambda arena, _done: arena.escaped
    hard: bool = False
    links: int = 1
    trials: int = 1
    pause_s: float = QUICK_S
    journal: int = JOURNAL


def run(vector: Vector, naive: bool, top: Path, trials: int, seed: int) -> Counts:
    """So many trials at least; of the naive way, until enough went wrong."""
    prepare = vector.naive if naive else vector.ours
    assert prepare is not None
    counts: Counts = {"trials": 0, "done": 0, "touched": 0, "wrong": 0, "swaps": 0}
    outside = Outside(top / "outside", linked=vector.hard)
    outside.make()
    arena = Arena(top / "arena", outside, seed)
    pairs = [[f"{arena.top.name}/{name}" for name in pair] for pair in vector.pairs]
    pause_s = QUICK_S if naive else vector.pause_s
    with attacker(counts, place=str(top), pairs=pairs, pause_s=pause_s, seed=seed), closing(arena):
        while counts["trials"] < trials:
            _one(vector, prepare, arena, counts)
            if naive and counts["touched"] + counts["wrong"] >= ENOUGH:
                break
    return counts


def _one(vector: Vector, prepare: Prepare, arena: Arena, counts: Counts) -> None:
    arena.make(counts["trials"], vector.journal)
    done = False
    with ExitStack() as stack:
        act = prepare(arena, stack)
        arena.outside.remember()
        arena.let_loose(vector)
        with suppress(OSError, CachewrightError):
            done = _got_through(act())
    arena.calm(vector)
    counts["trials"] += vector.trials
    counts["done"] += done
    counts["wrong"] += vector.wrong(arena, done)
    if arena.outside.touched():
        counts["touched"] += 1
        arena.outside.make()
    arena.clear()


def _got_through(ended: object) -> bool:
    return ended.result is Result.DONE if isinstance(ended, Outcome) else True
