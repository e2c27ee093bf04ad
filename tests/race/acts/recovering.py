"""What ends an operation that a killed process left in the middle."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import count

from tests.race.acts import moving, publishing, writing
from tests.race.acts.finding import Act, found, kept_items
from tests.race.arena import Arena, nobody

from cachewright import holders
from cachewright.model import Outcome
from cachewright.repair.recover import recover

Prepare = Callable[[Arena, ExitStack], Act]


def _killed(prepare: Prepare, arena: Arena, stack: ExitStack, look: int) -> None:
    """A process of its own is killed at its look number ``look``, which is the one after what
    it acts on was moved."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    looks = count(1)

    def dying(prefixes: Sequence[bytes], devices: frozenset[int]) -> holders.Survey:
        if next(looks) == look:
            os._exit(9)
        return nobody(prefixes, devices)

    try:
        setattr(holders, "survey", dying)  # noqa: B010 - publish() takes no look of its own
        arena.look = dying
        prepare(arena, stack)()
    finally:
        os._exit(1)


def _recovering(prepare: Prepare, look: int) -> Prepare:
    def ready(arena: Arena, stack: ExitStack) -> Act:
        arena.judged = (arena.cache / "p" / "entry").stat().st_ino
        _killed(prepare, arena, stack, look)
        return lambda: _all_ended(recover(arena.journal, look=nobody))

    return ready


def _all_ended(outcomes: tuple[Outcome, ...]) -> Outcome:
    (one,) = outcomes
    return one


quarantining = _recovering(moving.quarantine_below, 2)
published = _recovering(publishing.publish_below, 3)
rewriting = _recovering(writing.rewrite, 2)


def lost(arena: Arena, _done: bool) -> bool:
    """The old entry is nowhere."""
    return not found(arena, arena.judged)


def move_back(arena: Arena, stack: ExitStack) -> Act:
    """Whatever is kept gets its old name again, by path."""
    _killed(moving.quarantine_below, arena, stack, 2)

    def act() -> None:
        for item in kept_items(arena):
            with suppress(OSError):
                shutil.move(item, arena.cache / "p" / "entry")

    return act
