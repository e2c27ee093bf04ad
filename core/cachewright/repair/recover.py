"""End every operation that was interrupted: by a crash, a power cut, or being killed.

What had reached its place whole is finished; everything else is taken back.  Both are decided by
what is found on disk and what the journal recorded before it got there, so that a recovery that is
interrupted itself is just done again (DESIGN 7, Crash).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from cachewright import holders
from cachewright.errors import AnotherAtWork, CachewrightError
from cachewright.model import Outcome, Result, StepKind
from cachewright.repair.exclusive import STATE_LOCK, exclusive
from cachewright.repair.journal import Journal
from cachewright.repair.operations import Operation, operations
from cachewright.repair.records import Event
from cachewright.repair.recovering import (
    gone,
    modes,
    moved,
    published,
    purged,
    released,
    rewritten,
)
from cachewright.repair.recovering.claims import settle_moves
from cachewright.repair.recovering.leftovers import sweep
from cachewright.repair.recovering.scene import Ending, Scene
from cachewright.repair.reopening import Reopened, reopened
from cachewright.repair.subject import LookAround

_Ender = Callable[[Scene], Ending]

_REPAIRS: Final[Mapping[StepKind, _Ender]] = {
    StepKind.QUARANTINE_STAGING: moved.put_back,
    StepKind.QUARANTINE_ENTRY: moved.put_back,
    StepKind.QUARANTINE_LOCK: moved.put_back,
    StepKind.REPUBLISH_ENTRY: published.end_publishing,
    StepKind.RESTORE_EXEC_BIT: modes.set_back,
    StepKind.DROP_POISONED_CHECKSUM: rewritten.end_rewriting,
    StepKind.RECOUNT_STATISTICS: rewritten.end_rewriting,
}
_UNDOS: Final[Mapping[StepKind, _Ender]] = {
    StepKind.QUARANTINE_STAGING: moved.end_restoring,
    StepKind.QUARANTINE_ENTRY: moved.end_restoring,
    StepKind.QUARANTINE_LOCK: moved.end_restoring,
    StepKind.REPUBLISH_ENTRY: published.end_unpublishing,
    StepKind.RESTORE_EXEC_BIT: modes.set_back,
    StepKind.DROP_POISONED_CHECKSUM: rewritten.end_setting_back,
    StepKind.RECOUNT_STATISTICS: rewritten.end_setting_back,
}
_RELEASES: Final = frozenset({StepKind.RELEASE_OBJECT_LOCK, StepKind.RELEASE_LEASE})


def recover(
    journal: Journal, *, root: bytes | None = None, look: LookAround = holders.survey
) -> tuple[Outcome, ...]:
    """End what was interrupted in the cache at ``root`` (everywhere, without): what became of
    each operation, the newest first.

    ``done`` means that it is ended, one way or the other: the reason says which.  ``failed``:
    its old place was taken by another meanwhile, and what was there is kept in quarantine.
    ``refused``: it cannot be ended now (somebody uses it, the store cannot be reached); it
    is tried again next time.  What another Cachewright is at work on is left alone.  Running
    it again finds nothing to do.  Raises ``JournalDamaged``.
    """
    journal.set_aside_torn_end()
    open_ones = [
        one for one in operations(journal.records()) if one.unfinished and root in {None, one.root}
    ]
    ended = [_recovered(journal, one, look) for one in reversed(open_ones)]
    sweep(_known(journal), root)
    return tuple(outcome for outcome in ended if outcome is not None)


def _recovered(journal: Journal, one: Operation, look: LookAround) -> Outcome | None:
    try:
        ending = _ended(journal, one, look)
    except AnotherAtWork:
        return None
    except (OSError, CachewrightError) as error:
        return _outcome(one, Result.REFUSED, str(error))
    if ending is None:
        return None
    result = Result.FAILED if ending.event is Event.FAILED else Result.DONE
    return _outcome(one, result, ending.reason)


def _ended(journal: Journal, one: Operation, look: LookAround) -> Ending | None:
    """How it ended, in the journal already; None where it had ended by itself meanwhile."""
    known = _known(journal)
    with _alone(journal, one, known) as places:
        known = _known(journal)
        one = known[one.id]
        if not one.unfinished:
            return None
        ending = _end(journal, one, known, places, look)
        fields = {"reason": ending.reason, "recovered": True, **ending.fields}
        journal.append(one.id, ending.event, fields)
    return ending


def _known(journal: Journal) -> Mapping[str, Operation]:
    return {one.id: one for one in operations(journal.records())}


@contextmanager
def _alone(
    journal: Journal, one: Operation, known: Mapping[str, Operation]
) -> Iterator[Reopened | None]:
    """Keep away every other Cachewright that could be at work on this operation: it may hold
    the lock of the state directory, or that of the quarantine.  Yields the operation's places
    where it has some of its own that are still there."""
    about = known.get(one.purges or "", one)
    quarantine = gone.quarantine_of(about)
    with ExitStack() as stack:
        if one.purges or one.step in _RELEASES or gone.is_gone(one):
            stack.enter_context(exclusive(journal.state, STATE_LOCK))
            if quarantine is not None:
                stack.enter_context(gone.quarantine_locked(quarantine))
            yield None
            return
        if quarantine is not None:  # else it is this lock that is held in its stead
            stack.enter_context(exclusive(journal.state, STATE_LOCK))
        yield stack.enter_context(reopened(one, journal))


def _end(
    journal: Journal,
    one: Operation,
    known: Mapping[str, Operation],
    places: Reopened | None,
    look: LookAround,
) -> Ending:
    other = known.get(one.undoes or one.purges or "")
    if one.purges:
        return purged.finish_purge(one, other, look)
    if one.step in _RELEASES:
        if one.undoes:
            return released.end_putting_back(one, other)
        return released.end_releasing(one)
    if places is None:
        return gone.end_without_root(one)
    scene = Scene(one, other, journal, places, look)
    settle_moves(scene)
    return (_UNDOS if one.undoes else _REPAIRS)[one.step](scene)


def _outcome(one: Operation, result: Result, reason: str) -> Outcome:
    return Outcome(one.step, one.path, result, reason, None, one.subject)
