"""The nouns of Cachewright: plain, immutable values that every other module speaks in.

Units, everywhere: sizes in bytes, times in nanoseconds since the epoch (``*_ns``) as the file
system or the kernel reported them, paths as ``bytes``.  Text is only made for display (``text``).
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, Final

from cachewright.errors import Cancelled


class Says(StrEnum):
    """What one observation speaks for; ``UNKNOWN`` closes the one-click path.

    ``GOOD`` and ``BAD`` are said of content (a digest fits or differs), the others of use.
    """

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    GOOD = "good"
    BAD = "bad"


class EntryVerdict(StrEnum):
    """What is known about an entry's content."""

    OK = "ok"
    CORRUPT = "corrupt"
    INCOMPLETE = "incomplete"
    DISPUTED = "disputed"
    UNVERIFIABLE = "unverifiable"
    BUSY = "busy"
    UNREADABLE = "unreadable"
    UNCHECKED = "unchecked"


class HoldVerdict(StrEnum):
    """What is known about a lock or a staging place."""

    HELD = "held"
    FREE = "free"
    STALE = "stale"
    UNPROVEN = "unproven"


Verdict = EntryVerdict | HoldVerdict


class Severity(StrEnum):
    """Whether a finding makes ``check`` exit with 1 (a problem) or not (a notice)."""

    PROBLEM = "problem"
    NOTICE = "notice"


class FindingKind(StrEnum):
    """The kinds of DESIGN 8; extended, never renamed."""

    CORRUPT_ENTRY = "corrupt-entry"
    INCOMPLETE_ENTRY = "incomplete-entry"
    MISSING_FILE = "missing-file"
    FOREIGN_FILE = "foreign-file"
    LOST_EXEC_BIT = "lost-exec-bit"
    DISPUTED_DIGEST = "disputed-digest"
    POISONED_CHECKSUM = "poisoned-checksum"
    UNEXPLAINED_CHECKSUM = "unexplained-checksum"
    WEAK_DIGEST = "weak-digest"
    DIFFERS_FROM_BASELINE = "differs-from-baseline"
    DAMAGED_METADATA = "damaged-metadata"
    DANGLING_LINK = "dangling-link"
    POINTER_MISMATCH = "pointer-mismatch"
    ORPHAN = "orphan"
    STUCK_RECORD = "stuck-record"
    ACCOUNTING = "accounting"
    UNREADABLE = "unreadable"
    FOREIGN_TYPE = "foreign-type"
    STALE_STAGING = "stale-staging"
    UNPROVEN_STAGING = "unproven-staging"
    LIVE_STAGING = "live-staging"
    STALE_LOCK = "stale-lock"
    UNPROVEN_LOCK = "unproven-lock"
    HELD_LOCK = "held-lock"
    GARBAGE_LOCK = "garbage-lock"
    BUSY_ENTRY = "busy-entry"


class StepKind(StrEnum):
    """What a repair step does; every one of them can be undone."""

    QUARANTINE_STAGING = "quarantine-staging"
    QUARANTINE_LOCK = "quarantine-lock"
    QUARANTINE_ENTRY = "quarantine-entry"
    REPUBLISH_ENTRY = "republish-entry"
    RESTORE_EXEC_BIT = "restore-exec-bit"
    DROP_POISONED_CHECKSUM = "drop-poisoned-checksum"


class Confirm(StrEnum):
    """How a person agrees: one click, or by typing the entry's name or the lock's ID."""

    CLICK = "click"
    TYPED = "typed"


class LockKind(StrEnum):
    """Kinds of lock; they behave differently and are never mixed up (DESIGN 2)."""

    FLOCK = "flock"
    POSIX = "posix"
    OFD = "ofd"
    LEASE = "lease"
    EXISTENCE = "existence"
    INFO_FILE = "info-file"
    OBJECT = "object"


class Role(IntEnum):
    """What a path is to its cache.  Content of an entry or a staging place inherits its role."""

    FOREIGN = 0
    CONTAINER = 1
    ENTRY = 2
    METADATA = 3
    LOCK = 4
    STAGING = 5


class Type(Enum):
    """Types of file that a rule can ask for."""

    DIRECTORY = "directory"
    FILE = "file"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Rule:
    """``name`` (a bytes pattern, matched whole) at ``depth`` components below the root, of one
    of the ``types``, has ``role``.  Rules are tried in order, only below containers; the first
    that fits wins; a name that none fits is foreign and never touched."""

    depth: int
    name: re.Pattern[bytes]
    types: frozenset[Type]
    role: Role


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file or directory was looked at; compared again at the moment of acting.

    ``mtime_ns`` and ``ctime_ns`` of a directory change with its children, so a tree is also
    guarded by ``tree_signature`` where the step's subject is a tree.
    """

    device: int
    inode: int
    mode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def as_json(self) -> dict[str, int]:
        return {
            "device": self.device,
            "inode": self.inode,
            "mode": self.mode,
            "size": self.size,
            "mtime_ns": self.mtime_ns,
            "ctime_ns": self.ctime_ns,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Identity:
        return cls(**{name: int(data[name]) for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation: what was looked at, what was seen, when, and what it speaks for."""

    fact: str
    says: Says
    detail: str
    at_ns: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True)
class Digest:
    """An algorithm and its value, spelled as the cache's own tool spells it.

    ``h1`` values carry no ``h1:`` prefix here or in JSON: the algorithm says it.
    """

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class ExpectedDigest:
    """A recorded digest and the file (or row) that records it."""

    algorithm: str
    value: str
    source: bytes


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock or has something open, mapped, executing or as cwd.

    ``started_ns`` is the wall-clock start derived from /proc; identity is the four of
    ``boot_id``, ``pid_namespace``, ``pid`` and ``start_ticks`` (DESIGN 6.3).
    ``how`` lists e.g. ``lock:write`` ``lock:read`` ``open:write`` ``open:read`` ``mmap`` ``exe``
    ``cwd`` ``root``.  ``state`` is ``stopped`` for a stopped process, else ``running``.
    """

    pid: int
    started_ns: int
    user: str
    command: str
    how: tuple[str, ...]
    state: str = "running"
    start_ticks: int = 0
    boot_id: str = ""
    pid_namespace: int = 0

    @property
    def key(self) -> tuple[str, int, int, int]:
        return (self.boot_id, self.pid_namespace, self.pid, self.start_ticks)

    @property
    def writes(self) -> bool:
        """Whether it can change what it holds through a descriptor or mapping it has now."""
        return any(way in {"open:write", "mmap:write", "lock:write"} for way in self.how)


@dataclass(frozen=True, slots=True)
class RepairOffer:
    """A repair that a finding allows.

    ``source`` is the path of the good copy for ``republish-entry``; ``detail`` is what the
    format needs to carry the step out (JSON values only).
    """

    step: StepKind
    confirm: Confirm
    why: str
    source: bytes | None = None
    detail: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Finding:
    """Subject + verdict + evidence + the repairs that are offered, the best first.

    ``path`` is absolute; ``files`` are relative to the entry.  ``expected`` and ``actual`` are
    filled where digests were compared.
    """

    kind: FindingKind
    severity: Severity
    verdict: Verdict
    subject: str
    path: bytes
    explanation: str
    files: tuple[bytes, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    repairs: tuple[RepairOffer, ...] = ()
    holders: tuple[Holder, ...] = ()
    expected: tuple[ExpectedDigest, ...] = ()
    actual: tuple[Digest, ...] = ()
    size: int = 0
    changed_ns: int = 0

    @property
    def id(self) -> str:
        """Stable over runs: the same trouble at the same place has the same ID."""
        text = b"\0".join([self.kind.value.encode(), self.path, b"\n".join(sorted(self.files))])
        return hashlib.sha256(text).hexdigest()[:16]

    @property
    def repair(self) -> RepairOffer | None:
        """The repair offered first, if any."""
        return self.repairs[0] if self.repairs else None


@dataclass(frozen=True, slots=True)
class EntryReport:
    """What is known of one entry.

    ``name`` is the format's stable name (what ``publish`` wants); ``title`` and ``subtitle``
    are what a person reads.  ``row`` is the entry's row in the inventory.
    """

    name: str
    title: str
    subtitle: str
    path: bytes
    row: int
    size: int
    files: int
    changed_ns: int
    verdict: EntryVerdict
    why: str = ""
    expected: tuple[ExpectedDigest, ...] = ()
    actual: tuple[Digest, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    holders: tuple[Holder, ...] = ()
    users: tuple[bytes, ...] = ()
    link_target: bytes | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """One of the tool's own locks, to be held while repairing: its kind and place below the
    root.  ``create``: the tool itself creates the file when it is missing, so we may."""

    kind: LockKind
    relative: bytes
    create: bool


@dataclass(frozen=True, slots=True)
class LockPlace:
    """A lock's place below the root and what releases or describes it."""

    id: str
    kind: LockKind
    relative: bytes
    row: int
    subject: str
    owner: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class LockReport:
    """One lock: ``id`` is what ``unlock`` wants typed, ``owner`` what the lock itself says."""

    id: str
    kind: LockKind
    path: bytes
    verdict: HoldVerdict
    subject: str
    explanation: str
    holders: tuple[Holder, ...] = ()
    owner: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    evidence: tuple[Evidence, ...] = ()
    changed_ns: int = 0


@dataclass(frozen=True, slots=True)
class StagingReport:
    """One staging place and whether its writer is proven dead."""

    path: bytes
    name: str
    size: int
    files: int
    verdict: HoldVerdict
    explanation: str
    evidence: tuple[Evidence, ...] = ()
    holders: tuple[Holder, ...] = ()
    changed_ns: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be looked at: the check is not complete, and says where."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one ``check`` saw.  ``complete`` is false iff ``gaps`` is not empty."""

    root: bytes
    format: str
    title: str
    entries: tuple[EntryReport, ...]
    locks: tuple[LockReport, ...]
    staging: tuple[StagingReport, ...]
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...] = ()
    uninspected: int = 0
    size: int = 0
    files: int = 0
    started_ns: int = 0
    finished_ns: int = 0

    @property
    def complete(self) -> bool:
        return not self.gaps

    @property
    def problems(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.severity is Severity.PROBLEM)


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of a plan, with the identity of its subject as it was judged.

    ``signature`` covers every file of a tree (see ``inventory.tree.signature``); ``None`` for
    a subject that is no tree.  ``subject`` is what must be typed where ``confirm`` is typed.
    """

    id: str
    step: StepKind
    subject: str
    path: bytes
    identity: Identity
    confirm: Confirm
    why: str
    signature: str | None = None
    source: bytes | None = None
    size: int = 0
    detail: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered steps for one cache; both faces run the same."""

    root: bytes
    format: str
    steps: tuple[PlanStep, ...]
    made_ns: int = field(default_factory=time.time_ns)


class Result(StrEnum):
    """How a step ended."""

    DONE = "done"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step.  ``undo`` is the journal's ID to undo it by, if it was done."""

    step: StepKind | None
    path: bytes
    result: Result
    reason: str
    undo: str | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """A cache found on this computer."""

    format: str
    root: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stage is.  ``total`` 0 means not yet known; rates are the sink's to derive."""

    stage: str
    done: int = 0
    total: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    what: str = ""


ProgressSink = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """A sink for callers who do not watch."""


class CancelToken:
    """Asks a running stage to pause or stop; polled per block of data.  Thread-safe."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._running = threading.Event()
        self._running.set()

    def cancel(self) -> None:
        self._cancelled.set()
        self._running.set()

    def pause(self) -> None:
        if not self._cancelled.is_set():
            self._running.clear()

    def resume(self) -> None:
        self._running.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    def check(self) -> None:
        """Wait while paused; raise ``Cancelled`` when asked to stop."""
        self._running.wait()
        if self._cancelled.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Sleep, waking at once when cancelled (then ``Cancelled`` is raised)."""
        if self._cancelled.wait(seconds):
            raise Cancelled
        self.check()


QUARANTINE_NAME: Final = b".cachewright-quarantine"
