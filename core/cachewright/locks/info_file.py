"""A lock-info file: what a tool writes beside a kernel lock for others to read.

It locks nothing.  So it is judged by the kernel lock that it describes (``LockPlace.guards``)
and by nothing else: held while that is held; left behind, and harmless, when the kernel says
that nobody has it.  What the file says, or that it is garbage, changes nothing about that
(reliability.md A2; terraform.md 4.1).
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cachewright import holders
from cachewright.errors import CachewrightError
from cachewright.locks import kernel
from cachewright.locks.around import claim_of
from cachewright.locks.marker import Marker, read_marker
from cachewright.locks.rights import why_immovable
from cachewright.model import (
    Claim,
    Evidence,
    Gate,
    HoldVerdict,
    LockKind,
    LockPlace,
    LockReport,
    Says,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.locks.around import Around, Reader
    from cachewright.storage.anchored import Directory

_TRIES: Final = 3
_RIGHTS: Final = "rights"
_STRANGE: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a link, which was not followed",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


def look(root: Directory, place: LockPlace, reader: Reader, around: Around) -> LockReport | None:
    """What the info file at ``place`` amounts to now; None where there is none.

    Never locks, never waits, and opens the file that the kernel lock is on for reading only.
    The verdict is ``held`` with the lock's holders, ``stale`` where the kernel says that nobody
    has the lock and the file system is this computer's alone, else ``unproven`` with the reason.
    """
    report: LockReport | None = None
    for _try in range(_TRIES):
        before = report
        report = _look(root, place, reader, around)
        if report is None or report.verdict is not HoldVerdict.STALE:
            return report
        # Its tool writes the file after locking and removes it before letting go.  So if the
        # very same file was there before and after the lock was seen free, nobody cares for it.
        if before is not None and before.identity == report.identity:
            return report
    if report is None:
        return None
    text = "It was written or replaced each time that it was looked at."
    changing = (*report.evidence, Evidence("unchanged", Says.UNKNOWN, text))
    return replace(
        report, verdict=HoldVerdict.UNPROVEN, explanation=_cannot_tell(text), evidence=changing
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """What lies in the file's place, and what it says."""

    root: Directory
    place: LockPlace
    marker: Marker
    claim: Claim

    @property
    def strange(self) -> str:
        """What it is instead of a file; empty for a file."""
        kind = stat.S_IFMT(self.marker.found.st_mode)
        return "" if kind == stat.S_IFREG else _STRANGE.get(kind, "a device")

    @property
    def rights(self) -> Evidence:
        why = why_immovable(self.root, self.place.relative, self.marker.found)
        if why:
            return Evidence(_RIGHTS, Says.UNKNOWN, why)
        return Evidence(_RIGHTS, Says.DEAD, "Cachewright may move it away.")

    @property
    def shape(self) -> Evidence:
        """It never speaks for a living owner: the lock does."""
        fact = "info-file"
        if self.strange:
            said = f"In its place lies {self.strange}, which no tool puts there."
            return Evidence(fact, Says.UNKNOWN, said)
        if self.marker.odd:
            return Evidence(fact, Says.UNKNOWN, self.marker.odd)
        trouble = self.claim.garbage or self.marker.unreadable
        if trouble:
            said = f"What it says cannot be read: {_small(trouble)} The lock alone decides."
        else:
            said = "It has the name and place of what its tool writes. The lock alone decides."
        return Evidence(fact, Says.DEAD, said)

    def report(
        self, verdict: HoldVerdict, explanation: str, evidence: tuple[Evidence, ...]
    ) -> LockReport:
        place, claim = self.place, self.claim
        return LockReport(
            id=claim.id or place.id,
            kind=place.kind,
            path=self.root.where(place.relative),
            verdict=verdict,
            subject=claim.subject or place.subject,
            explanation=explanation,
            owner={**place.owner, **claim.owner},
            evidence=evidence,
            changed_ns=self.marker.found.st_mtime_ns,
            identity=self.marker.identity,
            fingerprint=self.marker.fingerprint,
            garbage=bool(self.strange or claim.garbage),
            guards=self.root.where(place.guards.relative) if place.guards else b"",
        )


def _look(root: Directory, place: LockPlace, reader: Reader, around: Around) -> LockReport | None:
    try:
        marker = read_marker(root, place.relative)
    except (OSError, CachewrightError) as error:
        return _not_looked_at(root, place, error)
    if marker is None:
        return None
    regular = stat.S_ISREG(marker.found.st_mode)
    known = regular and not marker.unreadable and not marker.odd
    claim = claim_of(reader, place, marker.record) if known else Claim()
    return _judge(_Record(root, place, marker, claim), around)


def _judge(record: _Record, around: Around) -> LockReport:
    gate = record.place.guards
    why = "Its format names no lock that it describes." if gate is None else _lockless(record, gate)
    if gate is None or why:
        said = (Evidence("kernel-lock", Says.UNKNOWN, why), record.shape)
        report = record.report(HoldVerdict.UNPROVEN, _cannot_tell(why), said)
        return replace(report, no_release=_small(why).rstrip("."))
    lock = _look_at_lock(record, gate, around)
    evidence: tuple[Evidence, ...] = (*_of_lock(lock, gate, around), record.shape, record.rights)
    name = display(gate.relative)
    if any(one.says is Says.ALIVE for one in evidence):
        held = record.report(HoldVerdict.HELD, lock.explanation, evidence)
        return replace(held, holders=lock.holders)
    unknown = [one for one in evidence if one.says is Says.UNKNOWN]
    if [one.fact for one in unknown] == [_RIGHTS]:
        why = unknown[0].detail
        text = f"Nobody has the lock on {name}, but this file cannot be moved away. {why}"
        fixed = record.report(HoldVerdict.UNPROVEN, text, evidence)
        return replace(fixed, no_release=_small(why).rstrip("."))
    if unknown:
        text = _cannot_tell(" ".join(one.detail for one in unknown))
        return record.report(HoldVerdict.UNPROVEN, text, evidence)
    text = (
        f"Left behind by a program that was killed: nobody has the lock on {name}, and without "
        "it this file locks nothing."
    )
    return record.report(HoldVerdict.STALE, text, evidence)


def _lockless(record: _Record, gate: Gate) -> str:
    """Why the lock that is described can be neither looked at nor held; empty where it can."""
    about = f"The lock is taken on {display(gate.relative)}, which"
    try:
        found = record.root.stat(gate.relative)
    except (FileNotFoundError, NotADirectoryError):
        return f"{about} is not there."
    except (OSError, CachewrightError) as error:
        return f"{about} cannot be looked at ({_words(error)})."
    if stat.S_ISREG(found.st_mode):
        return ""
    return f"{about} is {_STRANGE.get(stat.S_IFMT(found.st_mode), 'a device')}."


def _look_at_lock(record: _Record, gate: Gate, around: Around) -> LockReport:
    place = replace(record.place, kind=gate.kind, relative=gate.relative, guards=None)
    # A POSIX lock is asked for at this very moment; a flock only shows in the kernel's table,
    # which was read before the info file was seen.
    table = holders.kernel_locks() if gate.kind is LockKind.FLOCK else around.kernel
    return kernel.look(record.root, place, around.survey, table)


def _of_lock(lock: LockReport, gate: Gate, around: Around) -> tuple[Evidence, ...]:
    """What was seen of the kernel lock, and whether all who might hold it show here."""
    seen = lock.evidence
    if any(one.fact == kernel.OUR_GATE for one in seen):
        said = f"Cachewright itself has the lock on {display(gate.relative)}: nobody else has."
        seen = (Evidence(kernel.OUR_GATE, Says.DEAD, said),)
    if any(one.fact == "filesystem" for one in seen):
        return seen
    says = Says.DEAD if around.filesystem.conclusive else Says.UNKNOWN
    return (*seen, Evidence("filesystem", says, around.filesystem.why))


def _not_looked_at(root: Directory, place: LockPlace, error: Exception) -> LockReport:
    said = f"It cannot be looked at ({_words(error)})."
    return LockReport(
        id=place.id,
        kind=place.kind,
        path=root.where(place.relative),
        verdict=HoldVerdict.UNPROVEN,
        subject=place.subject,
        explanation=said,
        evidence=(Evidence("info-file", Says.UNKNOWN, said),),
        no_release=_small(said).rstrip("."),
    )


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).rstrip(".")


def _cannot_tell(why: str) -> str:
    return f"It cannot be told whether anybody has the lock that this describes. {why}"


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
