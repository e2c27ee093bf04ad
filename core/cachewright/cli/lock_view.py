"""The locks of a cache as a screen that is looked at: what is held and by whom, for how long,
and what just changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import humanize

from cachewright.cli import lock_words, output
from cachewright.cli.lock_changes import Changes
from cachewright.errors import CachewrightError
from cachewright.model import HoldVerdict
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.model import LockReport

Line = tuple[str, bool]
"""Text, and whether it stands out."""

_GONE: Final = "gone"


class LockView:
    """The latest look.  ``every`` are the words for how often it is made."""

    def __init__(self, root: bytes, title: str, every: str) -> None:
        self._heading = f"{display(root)} ({display(title)})"
        self._root = root.rstrip(b"/") + b"/"
        self._every = every
        self._changes = Changes(time.monotonic())
        self._found: Sequence[LockReport] = ()
        self._notes: Sequence[str] = ()
        self._looked = ""
        self._trouble = ""

    def note(self, found: Sequence[LockReport], notes: Sequence[str]) -> bool:
        """Remember a look; whether it differs from the former one."""
        self._found, self._notes = found, notes
        self._looked, self._trouble = clock(), ""
        return self._changes.note(found, time.monotonic())

    def fail(self, error: CachewrightError) -> None:
        """Remember that a look failed: what is shown is what the last good one saw."""
        self._trouble = f"{clock()} {error}"

    def lines(self, *, final: bool = False) -> Iterator[Line]:
        """``final``: this is the last of them, and nobody is watching any more."""
        now = time.monotonic()
        yield self._heading, True
        yield self._summary(), False
        how = "." if final else f", {self._every}. Ctrl-C ends."
        yield f"Last looked at {self._looked}{how}", False
        if self._trouble:
            yield self._trouble, True
        yield "", False
        yield from self._table(now)
        yield from self._records(now)
        for said in self._notes:
            yield "", False
            yield display(said), False

    def _summary(self) -> str:
        if not self._found:
            return "There are no locks here."
        counts = Counter(one.verdict for one in self._found)
        words = ", ".join(f"{counts[each]} {each.value}" for each in HoldVerdict if counts[each])
        return f"{len(self._found)} {'lock' if len(self._found) == 1 else 'locks'}: {words}."

    def _table(self, now: float) -> Iterator[Line]:
        """The kernel's locks, a line each; those that went are told for some seconds."""
        shown = [one for one in self._found if lock_words.is_kernel(one)]
        gone = self._changes.gone(now)
        if not shown and not gone:
            return
        rows = [(self._changes.word(one, now), self._lasted(one, now), one) for one in shown]
        rows += [(_GONE, "", one) for one in gone]
        header = ("", "VERDICT", "FOR", "LOCK", "HELD BY")
        table = output.table(header, [self._row(*row) for row in rows])
        yield table[0], False
        for (word, _lasted, _one), line in zip(rows, table[1:], strict=True):
            yield line, bool(word)

    def _row(self, word: str, lasted: str, one: LockReport) -> tuple[str, ...]:
        path = display(one.path.removeprefix(self._root))
        if word == _GONE:
            return word, "", "", path, ""
        held = lock_words.held_by(one, lock_words.brief_holder)
        return word, one.verdict.value, lasted, path, held

    def _records(self, now: float) -> Iterator[Line]:
        """Locks that are records: what is to be typed to release each stands with it."""
        for one in self._found:
            if lock_words.is_kernel(one):
                continue
            word = self._changes.word(one, now)
            first, *others = lock_words.record(one)
            yield "", False
            yield f"{word} {first}, {self._lasted(one, now)}".lstrip(), bool(word)
            for line in others:
                yield line, False

    def _lasted(self, one: LockReport, now: float) -> str:
        """How long it is known to have been so."""
        seconds, before = self._changes.lasted_s(one, now)
        words = humanize.naturaldelta(seconds)
        return f"over {words}" if before else words


def clock() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
