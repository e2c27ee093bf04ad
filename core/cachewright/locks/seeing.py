"""What was found out about one lock file, and what each observation speaks for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from cachewright.holders import KernelLock, Pins, Survey, process, read_table
from cachewright.holders.mounts import RENUMBERING_TYPES, Mount
from cachewright.holders.naming import UNNAMED, name_of, names_of, of_deleted_words
from cachewright.locks.asking import Answer
from cachewright.model import Evidence, Holder, LockKind, LockPlace, Says

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory


WAITING: Final = "Waiting for it: "
"""How the sentence begins that ends an explanation where somebody waits."""
FORMER: Final = "former-file"
"""The fact which says who has a deleted file of the same name open."""


@dataclass(slots=True)
class Seen:
    """One lock file.  ``answer`` is about POSIX and OFD locks, ``locks`` come from the kernel's
    table; ``holders`` are by pid, ``unsure`` those of them that nobody saw having it open."""

    root: Directory
    place: LockPlace
    found: os.stat_result | None = None
    opened: bool = False
    answer: Answer | None = None
    mount: Mount | None = None
    locks: tuple[KernelLock, ...] = ()
    holders: dict[int, Holder] = field(default_factory=dict)
    waiting: tuple[int, ...] = ()
    unsure: list[int] = field(default_factory=list)

    @property
    def in_the_way(self) -> Answer | None:
        """The POSIX or OFD lock that the kernel named, if any."""
        return None if self.answer is None or self.answer.free else self.answer

    @property
    def told_by_descriptors(self) -> bool:
        """Whether no number in the kernel's table leads to this file (overlay)."""
        return self.mount is not None and self.mount.type in RENUMBERING_TYPES


def _lock_ways(holder: Holder) -> tuple[str, ...]:
    return tuple(way for way in holder.how if way.startswith("lock:"))


def name_holders(seen: Seen, opened: Sequence[Holder]) -> None:
    """Note every process that has one of the locks, with all its ways of holding the file."""
    ways: dict[int, str] = {}
    for lock in seen.locks:
        ways |= dict.fromkeys(lock.pids, "lock:write" if lock.write else "lock:read")
        seen.waiting += lock.waiting
    if seen.in_the_way is not None and seen.in_the_way.pid > 0:
        ways.setdefault(seen.in_the_way.pid, "lock:write" if seen.in_the_way.write else "lock:read")
    if seen.told_by_descriptors:
        ways |= {holder.pid: way for holder in opened for way in _lock_ways(holder)}
    known = {holder.key: holder.how for holder in opened}
    for pid, way in ways.items():
        holder = _process(pid)
        if holder is not None:
            every = tuple(sorted({way, *known.get(holder.key, ())}))
            seen.holders[pid] = replace(holder, how=every)
            if holder.key not in known:
                seen.unsure.append(pid)


def _process(pid: int) -> Holder | None:
    """The process that has the pid now; None also where it may not be asked who it is."""
    try:
        return process(pid)
    except OSError:
        return None


def is_outdated(seen: Seen, pins: Pins) -> bool:
    """Whether a process that was named has ended meanwhile, or has its pid from one that did.

    Of a process that nobody saw opening the file only the kernel's table tells, and only as it
    is now: since the process is pinned, its pid is nobody else's.
    """
    if pins.ended():
        return True
    if not seen.unsure or seen.found is None:
        return False
    inode = seen.found.st_ino
    held = {line.pid for line in read_table() if line.inode == inode}
    return not held.issuperset(seen.unsure)


def waiting_words(seen: Seen) -> str:
    """Who waits for the lock; empty for nobody."""
    if not seen.waiting:
        return ""
    found = ((pid, _process(pid)) for pid in dict.fromkeys(seen.waiting))
    names = (name_of(one) if one else f"process {pid}" for pid, one in found)
    return f"{WAITING}{', '.join(names)}."


def evidence_of(seen: Seen, opened: Sequence[Holder], survey: Survey) -> tuple[Evidence, ...]:
    """All observations; ``opened`` are the processes that have the file open."""
    named = tuple(seen.holders.values())
    who = names_of(named) if named else UNNAMED
    asked = [one for one in (_posix(seen, who), _flock(seen, survey, who)) if one is not None]
    settled = all(one.says is not Says.UNKNOWN for one in asked)
    others = (_filesystem(seen), _idle(seen, opened), of_deleted(seen, survey))
    told = (one for one in others if one is not None)
    return (*asked, *told, _unshown(seen, survey, settled=settled))


def of_deleted(seen: Seen, survey: Survey) -> Evidence | None:
    """Who has a former file of this name open, and may take a lock on that for one on this."""
    said = of_deleted_words(survey.of_deleted(seen.root.where(seen.place.relative)))
    if not said:
        return None
    return Evidence(FORMER, Says.DEAD, f"{said} A lock on that one is none on this.")


def _unshown(seen: Seen, survey: Survey, *, settled: bool) -> Evidence:
    """What processes that could not be inspected mean for the verdict."""
    fact, why = "uninspected", survey.unshown
    if not why:
        return Evidence(fact, Says.DEAD, "Every process could be inspected.")
    if (seen.locks or seen.in_the_way) and not seen.holders:
        return Evidence(fact, Says.DEAD, f"{why} Who holds the lock may be among them.")
    if settled:
        return Evidence(fact, Says.DEAD, f"{why} The kernel's own word on the lock settles it.")
    return Evidence(fact, Says.UNKNOWN, why)


def _posix(seen: Seen, who: str) -> Evidence | None:
    fact = "posix-lock"
    listed = {lock.kind.upper() for lock in seen.locks if lock.kind in {"posix", "ofd"}}
    if seen.in_the_way is not None:
        listed.add("OFD" if seen.in_the_way.pid < 0 else "POSIX")
    if listed:
        kinds = " and ".join(sorted(listed))
        return Evidence(fact, Says.ALIVE, f"{who} holds a lock on it ({kinds}).")
    if seen.answer is not None:
        said = "The kernel says that nobody has a POSIX or OFD lock on it."
        return Evidence(fact, Says.DEAD, said)
    if seen.place.kind is LockKind.FLOCK:
        return None  # not the lock that counts here, and none was seen
    why = "the system does not say" if seen.opened else "it may not be opened"
    return Evidence(fact, Says.UNKNOWN, f"Its lock could not be asked for: {why}.")


def _flock(seen: Seen, survey: Survey, who: str) -> Evidence | None:
    fact = "flock"
    listed = any(lock.kind == "flock" for lock in seen.locks)
    if listed or (seen.told_by_descriptors and seen.holders and seen.in_the_way is None):
        return Evidence(fact, Says.ALIVE, f"{who} holds a flock on it.")
    if seen.place.kind is not LockKind.FLOCK:
        return None  # not the lock that counts here, and none was seen
    if survey.hidden:
        return Evidence(fact, Says.UNKNOWN, survey.hidden)
    if seen.told_by_descriptors and survey.uninspected:
        said = (
            f"{survey.uninspected} processes could not be inspected, and on an overlay the "
            "kernel's list of locks does not tell which file it means."
        )
        return Evidence(fact, Says.UNKNOWN, said)
    return Evidence(fact, Says.DEAD, "The kernel's list of locks has no flock on it.")


def _filesystem(seen: Seen) -> Evidence | None:
    if seen.mount is not None and seen.mount.local:
        return None
    kind = seen.mount.type if seen.mount else "a file system that cannot be named"
    said = f"It lies on {kind}, where locks held on other computers do not show."
    return Evidence("filesystem", Says.UNKNOWN, said)


def _idle(seen: Seen, opened: Sequence[Holder]) -> Evidence | None:
    idle = [one for one in opened if one.pid not in seen.holders and not _lock_ways(one)]
    if not idle:
        return None
    said = f"It is also open in {names_of(idle)}, without a lock on it."
    return Evidence("open-files", Says.DEAD, said)
