"""What the journal remembers: past repairs, kept things, and taking repairs back."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.repair import keeping
from cachewright.repair import recover as recovering
from cachewright.repair import undo as undoing
from cachewright.repair.journal import Journal, journal_path
from cachewright.repair.operations import operations

if TYPE_CHECKING:
    from cachewright.model import Outcome, StepKind


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One repair of the journal, for a person.

    ``action`` is ``repair``, ``undo`` or ``purge``; ``result`` is how it ended, ``started``
    where it was interrupted.
    """

    id: str
    at_ns: int
    step: StepKind
    subject: str
    path: bytes
    result: str
    reason: str
    undone: bool
    can_undo: bool
    action: str = "repair"


@dataclass(frozen=True, slots=True)
class KeptItem:
    """Something in quarantine: ``original`` was its place, ``kept`` is where it lies now."""

    id: str
    at_ns: int
    original: bytes
    kept: bytes
    size: int
    step: StepKind


def history() -> tuple[HistoryItem, ...]:
    """Journaled repairs, undos and purges, the newest first; raises ``JournalDamaged``."""
    with closing(Journal.open()) as journal:
        known = operations(journal.records())
    return tuple(
        HistoryItem(
            id=one.id,
            at_ns=one.at_ns,
            step=one.step,
            subject=one.subject,
            path=one.path,
            result=one.event.value,
            reason=one.reason,
            undone=one.undone,
            can_undo=one.can_undo,
            action="undo" if one.undoes else "purge" if one.purges else "repair",
        )
        for one in reversed(known)
    )


def verify_journal() -> int:
    """Number of records, every hash checked; raises ``JournalDamaged``."""
    with closing(Journal.open()) as journal:
        return len(journal.records())


def undo(operation: str | None = None) -> Outcome:
    """Put back one journaled repair (the last one that can be, without an ID).

    What was interrupted before is ended first.  Raises ``NothingToUndo`` and ``JournalDamaged``;
    what else goes wrong is in the outcome.
    """
    with closing(Journal.open()) as journal:
        recovering.recover(journal)
        return undoing.undo(journal, operation)


def recover(root: bytes | None = None) -> tuple[Outcome, ...]:
    """End all that was interrupted (in the cache at ``root``), as ``repair.recover`` says;
    raises ``JournalDamaged``."""
    with closing(Journal.open()) as journal:
        return recovering.recover(journal, root=root)


def interrupted(root: bytes | None = None) -> int:
    """How many repairs of this cache (of all, without) have no end in the journal: they were
    interrupted, or are at work this moment.  0 where the journal cannot be read.

    Asked again, it is read only if it has changed; nothing is made where there is none.
    """
    with suppress(OSError, CachewrightError):
        path = journal_path()
        found = os.stat(path)
        state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known = _OPEN.get(path)
        if known is None or known[0] != state:
            _OPEN[path] = known = (state, _open_ones())
        return known[1].total() if root is None else known[1][root]
    return 0


_OPEN: Final[dict[bytes, tuple[tuple[int, ...], Counter[bytes]]]] = {}
"""How many operations of each cache have no end, by the journal and the state that it was in."""


def _open_ones() -> Counter[bytes]:
    with closing(Journal.open()) as journal:
        return Counter(one.root for one in operations(journal.records()) if one.unfinished)


def quarantine_list(root: bytes | None = None) -> tuple[KeptItem, ...]:
    """What is kept, of one cache or of all that the journal knows."""
    with closing(Journal.open()) as journal:
        return tuple(
            KeptItem(one.id, one.at_ns, one.original, one.kept, one.size, one.step)
            for one in keeping.kept_items(journal, root)
        )


def quarantine_purge(older_than_s: float, root: bytes | None = None) -> tuple[Outcome, ...]:
    """Delete for good what has been kept longer than that many seconds."""
    with closing(Journal.open()) as journal:
        recovering.recover(journal, root=root)
        return keeping.purge(journal, older_than_s, root)


def interrupted_words(root: bytes) -> tuple[str, ...]:
    """A sentence for a person where repairs of this cache have no end."""
    count = interrupted(root)
    if not count:
        return ()
    what = "1 repair of this cache has" if count == 1 else f"{count} repairs of this cache have"
    then = "`cachewright recover` ends what was interrupted."
    return (f"{what} no end in the journal: interrupted, or at work now. {then}",)
