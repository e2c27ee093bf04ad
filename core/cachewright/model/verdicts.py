"""What can be said of things: verdicts, kinds, severities, kinds of step and of lock."""

from __future__ import annotations

from enum import StrEnum


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
    MIXED_ENTRY = "mixed-entry"
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
    NOT_A_LOCK = "not-a-lock"
    STATE_ELSEWHERE = "state-elsewhere"
    BUSY_ENTRY = "busy-entry"


class StepKind(StrEnum):
    """What a repair step does; every one of them can be undone."""

    QUARANTINE_STAGING = "quarantine-staging"
    QUARANTINE_LOCK = "quarantine-lock"
    QUARANTINE_ENTRY = "quarantine-entry"
    REPUBLISH_ENTRY = "republish-entry"
    RESTORE_EXEC_BIT = "restore-exec-bit"
    DROP_POISONED_CHECKSUM = "drop-poisoned-checksum"
    RECOUNT_STATISTICS = "recount-statistics"
    RELEASE_OBJECT_LOCK = "release-object-lock"
    RELEASE_LEASE = "release-lease"


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


class Result(StrEnum):
    """How a step ended."""

    DONE = "done"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
