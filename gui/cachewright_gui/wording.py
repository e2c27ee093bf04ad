"""The window's words: verdicts, sizes, ages and steps as a person reads them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import humanize

from cachewright.model import EntryVerdict, HoldVerdict, Result, Says, StepKind, Verdict

VERDICT_WORD: Final[dict[Verdict, str]] = {
    EntryVerdict.OK: "Verified",
    EntryVerdict.CORRUPT: "Corrupt",
    EntryVerdict.INCOMPLETE: "Incomplete",
    EntryVerdict.DISPUTED: "Disputed",
    EntryVerdict.UNVERIFIABLE: "No checksum",
    EntryVerdict.BUSY: "In use",
    EntryVerdict.UNREADABLE: "Unreadable",
    EntryVerdict.UNCHECKED: "Not checked",
    HoldVerdict.HELD: "Held",
    HoldVerdict.FREE: "Free",
    HoldVerdict.STALE: "Stale",
    HoldVerdict.UNPROVEN: "Unproven",
}

HEALTH_PHRASE: Final[dict[EntryVerdict, str]] = {
    EntryVerdict.OK: "verified",
    EntryVerdict.CORRUPT: "corrupt",
    EntryVerdict.INCOMPLETE: "incomplete",
    EntryVerdict.DISPUTED: "disputed",
    EntryVerdict.UNREADABLE: "unreadable",
    EntryVerdict.BUSY: "being written",
    EntryVerdict.UNVERIFIABLE: "without a recorded checksum",
    EntryVerdict.UNCHECKED: "not checked yet",
}
"""In the order of the health bar."""

HEALTH_SHORT: Final[dict[EntryVerdict, str]] = {
    **HEALTH_PHRASE,
    EntryVerdict.UNVERIFIABLE: "no checksum",
    EntryVerdict.BUSY: "in use",
    EntryVerdict.UNCHECKED: "not checked",
}
"""Where there is little room."""

WORST_FIRST: Final = (
    EntryVerdict.CORRUPT,
    EntryVerdict.INCOMPLETE,
    EntryVerdict.DISPUTED,
    EntryVerdict.UNREADABLE,
    EntryVerdict.BUSY,
    EntryVerdict.UNCHECKED,
    EntryVerdict.UNVERIFIABLE,
    EntryVerdict.OK,
)

STEP_TITLE: Final[dict[StepKind, str]] = {
    StepKind.QUARANTINE_STAGING: "Remove staging",
    StepKind.QUARANTINE_LOCK: "Remove lock",
    StepKind.QUARANTINE_ENTRY: "Quarantine entry",
    StepKind.REPUBLISH_ENTRY: "Re-publish",
    StepKind.RESTORE_EXEC_BIT: "Restore execute bit",
    StepKind.DROP_POISONED_CHECKSUM: "Drop wrong checksum",
    StepKind.RECOUNT_STATISTICS: "Recount statistics",
    StepKind.RELEASE_OBJECT_LOCK: "Release lock",
    StepKind.RELEASE_LEASE: "Release lease",
}

LOCK_STEPS: Final = frozenset(
    {StepKind.QUARANTINE_LOCK, StepKind.RELEASE_OBJECT_LOCK, StepKind.RELEASE_LEASE}
)
"""What takes a lock away."""

STEP_EFFECT: Final[dict[StepKind, str]] = {
    StepKind.QUARANTINE_STAGING: "The staging place is moved to quarantine.",
    StepKind.QUARANTINE_LOCK: "The lock file is moved to quarantine.",
    StepKind.QUARANTINE_ENTRY: (
        "The entry is moved to quarantine. Its own tool fetches it again when it needs it."
    ),
    StepKind.REPUBLISH_ENTRY: (
        "The good copy is staged beside the entry, checked, then swapped in with one step. "
        "The old copy goes to quarantine."
    ),
    StepKind.RESTORE_EXEC_BIT: "The file is made executable again. Its content is not touched.",
    StepKind.DROP_POISONED_CHECKSUM: (
        "The lock file is written anew without the wrong checksum. The old lock file goes to "
        "quarantine."
    ),
    StepKind.RECOUNT_STATISTICS: (
        "The statistics are written anew with what lies on disk. The old ones are kept."
    ),
    StepKind.RELEASE_OBJECT_LOCK: (
        "The lock's record is deleted from the store if it is still exactly this one."
    ),
    StepKind.RELEASE_LEASE: "The lease is deleted if it is still exactly this one.",
}

SAYS_WORD: Final[dict[Says, str]] = {
    Says.ALIVE: "in use",
    Says.DEAD: "no sign of use",
    Says.UNKNOWN: "cannot tell",
    Says.GOOD: "content is sound",
    Says.BAD: "content differs",
}

RESULT_WORD: Final[dict[Result, str]] = {
    Result.DONE: "Done",
    Result.SKIPPED: "Skipped",
    Result.REFUSED: "Refused",
    Result.FAILED: "Failed",
    Result.ROLLED_BACK: "Rolled back",
}


_MINUTE: Final = 60
_HOUR: Final = 3600
_FEW_MINUTES: Final = 600


def in_words(code: str) -> str:
    """``open-files`` as ``Open files``: for codes that have no words of their own."""
    words = code.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


@lru_cache(maxsize=8192)
def size(amount: int) -> str:
    """A size in decimal units, as disks are sold and file managers count."""
    return humanize.naturalsize(amount).replace(" Bytes", " B").replace(" Byte", " B")


def exact_size(amount: int) -> str:
    return plural(amount, "byte", "bytes")


@lru_cache(maxsize=8192)
def _age(seconds: int) -> str:
    return "now" if seconds < 1 else humanize.naturaltime(seconds)


def age(at_ns: int, now_s: float | None = None) -> str:
    """How long ago, in words; empty where the time is not known."""
    if at_ns <= 0:
        return ""
    past = (time.time() if now_s is None else now_s) - at_ns / 1e9
    if past < -1:
        return "in the future"
    return _age(_coarse(max(0, int(past))))


def _coarse(seconds: int) -> int:
    """Rounded down as the words are, so that few different ages are put into words."""
    return seconds if seconds < _HOUR else seconds - seconds % _HOUR


def exact_time(at_ns: int) -> str:
    """Local time to the second, with its zone; empty where the time is not known."""
    if at_ns <= 0:
        return ""
    moment = datetime.fromtimestamp(at_ns / 1e9, tz=UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S %z")


def plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def duration(seconds: float) -> str:
    """A time still to go, coarse on purpose."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{max(whole, 1)} s"
    if whole < _FEW_MINUTES:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"


def shown_step(step: StepKind | None) -> str:
    return STEP_TITLE[step] if step is not None else "Step"
