"""A file that is a place for a kernel lock: who holds it, looked at without disturbing anybody.

Nothing is locked in order to look: a lock held for a moment makes another's non-blocking try
fail (DESIGN 6.4).  POSIX and OFD locks are asked for with ``F_OFD_GETLK``; flocks, which those
do not see, are looked up in the kernel's table.  Such a file is never stale and never deleted:
it is held, or it is free and harmless.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.holders import KernelLock, Survey, look_around, pinned, process
from cachewright.holders.mounts import mount_of
from cachewright.holders.naming import UNNAMED, names_of
from cachewright.locks import ours
from cachewright.locks.asking import ask
from cachewright.locks.gates import acquire
from cachewright.locks.seeing import (
    FORMER,
    Seen,
    evidence_of,
    is_outdated,
    name_holders,
    of_deleted,
    waiting_words,
)
from cachewright.locks.table import of_place
from cachewright.model import Evidence, Holder, HoldVerdict, LockPlace, LockReport, Says

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

__all__ = ["FREE", "OUR_GATE", "acquire", "look"]

FREE: Final = "Nobody holds this. Nothing to clean."
OUR_GATE: Final = "own-gate"
"""The fact which says that the holder is this very process."""

_MORE_LOOKS: Final = 2
"""Where short-lived processes come and go at one lock, the last look is told as it was."""


def look(
    root: Directory, place: LockPlace, survey: Survey, kernel: Sequence[KernelLock]
) -> LockReport:
    """Who holds the lock at ``place`` now; never waits, never locks, never changes a file.

    ``survey`` and ``kernel`` are of one look, made just before.  The verdict is ``held``,
    ``free`` (also where the file is missing) or ``unproven`` with the reason.  Whoever it names
    is pinned meanwhile; where one has ended, all is looked at once more.
    """
    report, outdated = _once(root, place, survey, kernel)
    for _again in range(_MORE_LOOKS):
        if not outdated:
            break
        survey, kernel = look_around([root.path], frozenset({root.identity.device}))
        report, outdated = _once(root, place, survey, kernel)
    return report


def _once(
    root: Directory, place: LockPlace, survey: Survey, kernel: Sequence[KernelLock]
) -> tuple[LockReport, bool]:
    """One look, and whether a process that it names has ended since."""
    seen = Seen(root, place)
    try:
        # Nobody in this process may take the lock between our asking and our closing the file.
        with ours.mutex:
            seen.found = root.stat(place.relative)
            if ours.held_here(seen.found):
                return _held_by_us(seen), False
            opened = _see(seen, seen.found, survey, kernel)
    except (FileNotFoundError, NotADirectoryError):
        return _gone(seen, survey), False
    except (OSError, CachewrightError) as error:
        return _unproven(seen, f"it could not be looked at ({error})", ()), False
    with pinned(seen.holders.values()) as pins:
        report = _judged(seen, evidence_of(seen, opened, survey))
        return report, is_outdated(seen, pins)


def _see(
    seen: Seen, found: os.stat_result, survey: Survey, kernel: Sequence[KernelLock]
) -> tuple[Holder, ...]:
    """Note the locks and who has them; returns who has the file open."""
    seen.mount = mount_of(seen.root.fd)
    seen.locks = of_place(found, seen.mount, kernel)
    if not any(lock.kind == "posix" and os.getpid() in lock.pids for lock in seen.locks):
        # Else closing the file again would drop a lock that this very process has on it.
        _ask(seen)
    if seen.answer is not None and seen.answer.free:
        # The answer is newer than the table, which speaks of POSIX and OFD locks too.
        seen.locks = tuple(lock for lock in seen.locks if lock.kind == "flock")
    opened = survey.of({ours.place(found)})
    name_holders(seen, opened)
    return opened


def _judged(seen: Seen, evidence: tuple[Evidence, ...]) -> LockReport:
    if any(one.says is Says.ALIVE for one in evidence):
        return _held(seen, evidence)
    unknown = [one.detail for one in evidence if one.says is Says.UNKNOWN]
    if unknown:
        return _unproven(seen, unknown[0], evidence)
    return _free(seen, evidence)


def _gone(seen: Seen, survey: Survey) -> LockReport:
    gone = Evidence("lock-file", Says.DEAD, "There is no lock file.")
    deleted = of_deleted(seen, survey)
    return _free(seen, (gone, deleted) if deleted else (gone,))


def _free(seen: Seen, evidence: tuple[Evidence, ...]) -> LockReport:
    """Nobody holds it; who has a former file of its name is told all the same."""
    former = (one.detail for one in evidence if one.fact == FORMER)
    return _report(seen, HoldVerdict.FREE, " ".join([FREE, *former]), evidence)


def _ask(seen: Seen) -> None:
    try:
        fd = seen.root.open_file(seen.place.relative)
    except PermissionError:
        return
    try:
        seen.opened, seen.answer, seen.mount = True, ask(fd), mount_of(fd)
    finally:
        os.close(fd)


def _held(seen: Seen, evidence: tuple[Evidence, ...]) -> LockReport:
    named = tuple(seen.holders.values())
    verb = "hold" if len(named) > 1 else "holds"
    text = f"{names_of(named) if named else UNNAMED} {verb} this lock."
    if any(holder.state == "stopped" for holder in named):
        text += " A stopped process keeps its locks until it goes on or ends."
    return _report(seen, HoldVerdict.HELD, f"{text} {waiting_words(seen)}".rstrip(), evidence)


def _held_by_us(seen: Seen) -> LockReport:
    ourselves = process(os.getpid(), ("lock:write", "open:write"))
    if ourselves is not None:
        seen.holders[ourselves.pid] = ourselves
    text = "Cachewright itself holds this lock, for a repair that is running."
    return _report(seen, HoldVerdict.HELD, text, (Evidence(OUR_GATE, Says.ALIVE, text),))


def _unproven(seen: Seen, why: str, evidence: tuple[Evidence, ...]) -> LockReport:
    text = f"It cannot be told whether anybody holds this: {why[:1].lower()}{why[1:].rstrip('.')}."
    found = evidence or (Evidence("lock-file", Says.UNKNOWN, text),)
    return _report(seen, HoldVerdict.UNPROVEN, text, found)


def _report(
    seen: Seen, verdict: HoldVerdict, explanation: str, evidence: tuple[Evidence, ...]
) -> LockReport:
    return LockReport(
        id=seen.place.id,
        kind=seen.place.kind,
        path=seen.root.where(seen.place.relative),
        verdict=verdict,
        subject=seen.place.subject,
        explanation=explanation,
        holders=tuple(seen.holders.values()),
        owner=seen.place.owner,
        evidence=evidence,
        changed_ns=seen.found.st_mtime_ns if seen.found else 0,
    )
