"""What a person reads of a lock: its kind, who has it, and how a process holds something."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from cachewright.model import Holder, HoldVerdict, LockKind, LockReport

PHRASE: Final[dict[HoldVerdict, str]] = {
    HoldVerdict.STALE: "stale",
    HoldVerdict.UNPROVEN: "not proven dead",
    HoldVerdict.HELD: "held",
    HoldVerdict.FREE: "free",
}
"""After a number, the worst first."""

_KERNEL: Final = {LockKind.FLOCK: "flock", LockKind.POSIX: "POSIX", LockKind.OFD: "OFD"}

_HOW: Final = {
    "lock:write": "has the lock for writing",
    "lock:read": "has the lock for reading",
    "open:write": "has it open for writing",
    "open:read": "has it open for reading",
    "mmap": "has it in its memory",
    "mmap:write": "has it in its memory, for writing",
    "mmap:read": "has it in its memory, for reading",
    "exe": "is running it",
    "argv": "was started from it",
    "cwd": "is working in it",
    "root": "has it as its root directory",
}

_PERSON: Final = ("Who", "who", "owner", "user")
_COMPUTER: Final = ("hostname", "host")
"""What tools call the owner and its computer in a lock's own record."""


_LATEST_S: Final = 250_000_000_000.0
"""Times later than this, in the year 9892, no clock was ever set to."""


class TwoLines(NamedTuple):
    """A word, and what is said in small below it."""

    text: str
    below: str = ""


def kind(lock: LockReport) -> TwoLines:
    """What kind of lock it is, without jargon; the jargon stands below."""
    if lock.kind in _KERNEL:
        return TwoLines("Kernel lock", _KERNEL[lock.kind])
    if lock.kind is LockKind.EXISTENCE:
        return TwoLines(_existing(lock), "locked while it exists")
    if lock.kind is LockKind.INFO_FILE:
        return TwoLines("Lock note", "beside a kernel lock")
    if lock.kind is LockKind.LEASE:
        return TwoLines("Lease", "renewed by its owner")
    is_item = lock.path.startswith(b"dynamodb:")
    return TwoLines("Stored lock", "table item" if is_item else "object in a bucket")


def _existing(lock: LockReport) -> str:
    mode = lock.identity.mode if lock.identity is not None else 0
    if stat.S_ISDIR(mode):
        return "Lock folder"
    return "Lock link" if stat.S_ISLNK(mode) else "Lock file"


def who(lock: LockReport) -> TwoLines:
    """The holder that was found, else the owner that the lock itself names."""
    if lock.holders:
        first, more = lock.holders[0], len(lock.holders) - 1
        name = f"{name_of(first)} and {more} more" if more else name_of(first)
        return TwoLines(name, f"pid {first.pid}, {first.user}{_state(first)}")
    if lock.verdict is HoldVerdict.FREE:
        return TwoLines("Nobody")
    claimed = owner_named(lock.owner)
    if claimed:
        is_gone = lock.verdict is HoldVerdict.STALE
        return TwoLines(claimed, "gone" if is_gone else "the lock says so")
    if lock.verdict is HoldVerdict.HELD:
        return TwoLines("Somebody", "process not seen")
    return TwoLines("Not recorded")


def owner_named(owner: Mapping[str, str]) -> str:
    """Whom the lock's own record names, be it but a process; empty where it names nobody."""
    person, computer, pid = person_named(owner), _first(owner, _COMPUTER), owner.get("pid", "")
    if person or not pid:
        return person or computer
    return f"Process {pid} on {computer}" if computer else f"Process {pid}"


def person_named(owner: Mapping[str, str]) -> str:
    """Whom one could ask, by the lock's own record."""
    return _first(owner, _PERSON)


def _first(owner: Mapping[str, str], names: Sequence[str]) -> str:
    return next((owner[name] for name in names if owner.get(name)), "")


def name_of(holder: Holder) -> str:
    """The program's name."""
    return holder.command.split(" ")[0].rsplit("/", 1)[-1] or "process"


def _state(holder: Holder) -> str:
    return ", stopped" if holder.state == "stopped" else ""


def titled(holder: Holder) -> str:
    """``terraform (pid 30412, stopped)``."""
    return f"{name_of(holder)} (pid {holder.pid}{_state(holder)})"


def ways(how: Sequence[str]) -> str:
    """How a process holds something, as one sentence: ``Has the lock for writing, ...``."""
    words = [_way(one) for one in how]
    sentence = ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + "".join(words[-1:])
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def _way(code: str) -> str:
    """A way that is not known here is told as it is."""
    base, deleted, _ = code.partition(" (deleted)")
    words = _HOW.get(base, base.replace(":", " for "))
    return f"{words} (deleted)" if deleted else words


def taken_ns(lock: LockReport) -> int:
    """When it was taken, by its own words where it tells, else when it was last written."""
    try:
        said = datetime.fromisoformat(lock.owner.get("Created", "")).timestamp()
    except (ValueError, OverflowError):
        return lock.changed_ns
    return int(said * 1e9) if 0 < said < _LATEST_S else lock.changed_ns


def end_it(lock: LockReport) -> str:
    """What can be done about a held lock: nothing here, and why."""
    pids = ", ".join(str(holder.pid) for holder in lock.holders)
    several = len(lock.holders) > 1
    which = f"process{'es' if several else ''} {pids}" if pids else "the process that holds it"
    return (
        f"Only its holder can let it go: wait for {which} to finish, or end "
        f"{'them' if several else 'it'} yourself. Cachewright ends no process."
    )


def summary(locks: Sequence[LockReport]) -> str:
    """``2 locks, 1 not proven dead``: how many, and the worst that is known of them."""
    if not locks:
        return "no locks"
    count = f"{len(locks):,} {'lock' if len(locks) == 1 else 'locks'}"
    for verdict, phrase in PHRASE.items():
        number = sum(one.verdict is verdict for one in locks)
        if number:
            rest = phrase if number == len(locks) else f"{number:,} {phrase}"
            return f"{count}, {rest}"
    return count


_EFFECT: Final = {
    LockKind.EXISTENCE: (
        "The lock is moved to quarantine, if it is still exactly the one shown here and nobody "
        "uses it at that moment. Undo puts it back as long as its place is free."
    ),
    LockKind.INFO_FILE: (
        "The lock that the note describes is taken first; if somebody has it, nothing is done. "
        "Then the note is moved to quarantine, and Undo puts it back. The state file itself is "
        "not touched."
    ),
    LockKind.LEASE: (
        "The lease is deleted in one step, if it still says exactly what is shown here. What it "
        "said is kept in the journal, and Undo writes it again."
    ),
    LockKind.OBJECT: (
        "The store is asked to delete this lock, on condition that it is still exactly the one "
        "shown here; a newer lock stays. What it said is kept in the journal, and Undo writes it "
        "again as long as nobody else has locked."
    ),
}


def effect(lock: LockReport) -> str:
    """What releasing it by force does."""
    return _EFFECT.get(lock.kind, "")


def meaning(lock: LockReport) -> str:
    """What that may lead to, and what to do first."""
    if lock.verdict is HoldVerdict.STALE:
        return "Its owner is proven gone, so nobody should miss this lock."
    owner = owner_named(lock.owner) or "Whoever took it"
    person = person_named(lock.owner)
    ask = f"Ask {person} first" if person else "Ask first who that could be"
    return (
        f"{owner} may still be at work, and goes on writing if so. Two who write at once can "
        f"destroy what this lock protects. {ask}, or end that process where it runs."
    )
