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
from cachewright.holders import KernelLock, Survey, process
from cachewright.holders.mounts import mount_of
from cachewright.holders.naming import UNNAMED, names_of
from cachewright.locks import ours
from cachewright.locks.asking import ask
from cachewright.locks.gates import acquire
from cachewright.locks.seeing import Seen, evidence_of, name_holders
from cachewright.locks.table import of_place
from cachewright.model import Evidence, HoldVerdict, LockPlace, LockReport, Says

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

__all__ = ["FREE", "OUR_GATE", "acquire", "look"]

FREE: Final = "Nobody holds this. Nothing to clean."
OUR_GATE: Final = "own-gate"
"""The fact which says that the holder is this very process."""


def look(
    root: Directory, place: LockPlace, survey: Survey, kernel: Sequence[KernelLock]
) -> LockReport:
    """Who holds the lock at ``place`` now; never waits, never locks, never changes a file.

    ``kernel`` is ``holders.kernel_locks()``, read just before.  The verdict is ``held``,
    ``free`` (also where the file is missing) or ``unproven`` with the reason.
    """
    seen = Seen(root, place)
    try:
        # Nobody in this process may take the lock between our asking and our closing the file.
        with ours.mutex:
            seen.found = root.stat(place.relative)
            return _look(seen, seen.found, survey, kernel)
    except (FileNotFoundError, NotADirectoryError):
        gone = Evidence("lock-file", Says.DEAD, "There is no lock file.")
        return _report(seen, HoldVerdict.FREE, FREE, (gone,))
    except (OSError, CachewrightError) as error:
        return _unproven(seen, f"it could not be looked at ({error})", ())


def _look(
    seen: Seen, found: os.stat_result, survey: Survey, kernel: Sequence[KernelLock]
) -> LockReport:
    if ours.held_here(found):
        return _held_by_us(seen)
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
    evidence = evidence_of(seen, opened, survey)
    if any(one.says is Says.ALIVE for one in evidence):
        return _held(seen, evidence)
    unknown = [one.detail for one in evidence if one.says is Says.UNKNOWN]
    if unknown:
        return _unproven(seen, unknown[0], evidence)
    return _report(seen, HoldVerdict.FREE, FREE, evidence)


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
    text = f"{names_of(named) if named else UNNAMED} holds this lock."
    if any(holder.state == "stopped" for holder in named):
        text += " A stopped process keeps its locks until it goes on or ends."
    if seen.waiting:
        text += f" Waiting for it: {', '.join(f'process {pid}' for pid in seen.waiting)}."
    return _report(seen, HoldVerdict.HELD, text, evidence)


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
