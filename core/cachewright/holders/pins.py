"""Holding on to processes while something is decided about them.

A pid may be given to another process at any moment.  A pidfd stands for one process only: what
was read of it stays true of it until that has ended, and that can be asked.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from cachewright.model import Holder

if sys.platform == "linux":
    from cachewright.holders.processes import process
else:
    from cachewright.holders.portable import process


def has_ended(pidfd: int) -> bool:
    """Whether the process has ended, with all its threads."""
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    return bool(waiting.poll(0))


class Pins:
    """Processes that something is being decided by; see ``pinned``."""

    def __init__(self) -> None:
        self._held: dict[int, Holder] = {}
        self._others: list[Holder] = []
        self._gone: list[Holder] = []

    def hold(self, holder: Holder) -> None:
        """Pin one more, if it is still the process that it was."""
        try:
            self._held[os.pidfd_open(holder.pid)] = holder
        except (OSError, AttributeError):  # it has ended, or pidfds are not to be had
            self._others.append(holder)
            return
        if _is_another(holder):
            self._gone.append(holder)

    def ended(self) -> tuple[Holder, ...]:
        """Those that have ended by now, or had when they were to be pinned."""
        gone = [one for pidfd, one in self._held.items() if has_ended(pidfd)]
        gone += [one for one in self._others if _is_another(one)]
        return tuple({one.key: one for one in (*self._gone, *gone)}.values())

    def close(self) -> None:
        for pidfd in self._held:
            os.close(pidfd)
        self._held.clear()


def _is_another(holder: Holder) -> bool:
    """Whether the pid is nobody's now, or another process's."""
    try:
        now = process(holder.pid)
    except OSError:
        return False  # it may not be asked, so it lives
    return now is None or now.key != holder.key


@contextmanager
def pinned(holders: Iterable[Holder]) -> Iterator[Pins]:
    """Know of each of ``holders``, for the length of the block, whether it has ended.

    ``Pins.ended`` tells at any moment in it who has; who has not is still the very process that
    ``holders`` names, and its pid was given to nobody else meanwhile.
    """
    pins = Pins()
    try:
        for holder in holders:
            pins.hold(holder)
        yield pins
    finally:
        pins.close()
