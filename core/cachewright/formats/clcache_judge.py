"""What can be said of one object entry: no digest covers it, but much else must hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.formats.base import Entry, Judgement, Verification
from cachewright.formats.clcache_layout import ERRORS, FILES, HALF_COPIED, OBJECT, OUTPUT
from cachewright.model import (
    Confirm,
    EntryVerdict,
    Finding,
    FindingKind,
    RepairOffer,
    Severity,
    StepKind,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

NO_DIGEST: Final = "clcache records no digest of an object's bytes"

_MACHINES: Final = frozenset(
    {
        b"\x4c\x01",  # x86
        b"\x64\x86",  # x64
        b"\x64\xaa",  # ARM64
        b"\x41\xa6",  # ARM64EC
        b"\x4e\xa6",  # ARM64X
        b"\xc0\x01",  # ARM
        b"\xc2\x01",  # ARM Thumb
        b"\xc4\x01",  # ARM Thumb-2
        b"\x00\x02",  # Itanium
    }
)
_WHOLE_STARTS: Final = (
    b"\x00\x00\xff\xff",  # big or link-time generated objects
    b"\x1f\x8b",  # gzip, of CLCACHE_COMPRESS
    b"BC\xc0\xde",  # clang-cl's bitcode
)
_AT_ONCE_NS: Final = 60 * 1_000_000_000
"""clcache writes the files of an entry one after the other; copying a cache takes longer."""

_LOST: Final = (
    "No manifest names it: a build was stopped before it wrote one, or clcache dropped it. As long "
    "as this object is there clcache writes no other, and compiles that file anew every time. "
    "Only builds without direct mode find it."
)

QUARANTINE: Final = RepairOffer(
    StepKind.QUARANTINE_ENTRY,
    Confirm.CLICK,
    "It is moved to quarantine and can be put back; clcache compiles that file anew.",
)


@dataclass(frozen=True, slots=True)
class Case:
    """An entry as the inventory has it: when each of its files was written; whether it lies in
    another section than its key says; whether a build tree shares the object; whether it is
    ``lost``, named by no manifest of a cache whose builds find objects by manifests."""

    entry: Entry
    path: bytes
    times: dict[bytes, int]
    is_directory: bool
    misplaced: bool
    shared: bool
    lost: bool


def judge(root: Directory, case: Case, seen: Verification) -> Judgement:
    """The worst that is wrong decides; where nothing is, the entry cannot be verified."""
    verdict, why = _verdict(root, case, seen)
    if verdict is EntryVerdict.UNVERIFIABLE:
        return Judgement(verdict, why, tuple(_notices(case, seen)))
    kind = FindingKind.CORRUPT_ENTRY
    if verdict is EntryVerdict.INCOMPLETE:
        kind = FindingKind.INCOMPLETE_ENTRY
    files = (OBJECT,) if case.is_directory else ()
    finding = _finding(case, kind, verdict, why, files, (QUARANTINE,))
    return Judgement(verdict, why, (finding,))


def _verdict(root: Directory, case: Case, seen: Verification) -> tuple[EntryVerdict, str]:
    if not case.is_directory:
        why = "It is a file where a directory belongs, so every build that needs it fails."
        return EntryVerdict.CORRUPT, why
    if OBJECT in seen.strange:
        return EntryVerdict.CORRUPT, "Its object is no file, so every build that needs it fails."
    if OBJECT not in seen.files:
        half = " Only a half-copied object lies there." if HALF_COPIED in seen.files else ""
        why = f"It has no object.{half} clcache believes that it has one, so every build fails."
        return EntryVerdict.INCOMPLETE, why
    if not seen.files[OBJECT].size:
        return EntryVerdict.CORRUPT, "Its object is empty. clcache would hand it to the linker."
    start = _start(root, case.entry.relative + b"/" + OBJECT)
    if start and not (start[:2] in _MACHINES or start.startswith(_WHOLE_STARTS)):
        why = "Its object does not begin as an object file does. clcache would hand it out all "
        return EntryVerdict.CORRUPT, f"{why}the same."
    return EntryVerdict.UNVERIFIABLE, _nothing_wrong(case)


def _start(root: Directory, relative: bytes) -> bytes:
    """The first bytes; none where it went away meanwhile, which another look tells."""
    try:
        fd = root.open_file(relative)
    except (OSError, CachewrightError):
        return b""
    try:
        return os.pread(fd, 4, 0)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _nothing_wrong(case: Case) -> str:
    parts = [
        f"Nothing is wrong with it that could be seen. {NO_DIGEST}, so they cannot be checked."
    ]
    if case.shared:
        parts.append("A build tree shares its object, so what changes it there changes it here.")
    return " ".join(parts)


def _notices(case: Case, seen: Verification) -> Iterator[Finding]:
    verdict = EntryVerdict.UNVERIFIABLE
    if case.misplaced:
        why = "It lies in another section than its key says, where clcache never finds it."
        yield _finding(case, FindingKind.ORPHAN, verdict, why, (), (QUARANTINE,))
    elif case.lost:
        yield _finding(case, FindingKind.ORPHAN, verdict, _LOST, (), (QUARANTINE,))
    if OUTPUT not in seen.files:
        why = "The compiler's output is missing: builds served from here print no warnings."
        yield _finding(case, FindingKind.MISSING_FILE, verdict, why, (OUTPUT,))
    elif not case.shared and (late := _written_apart(case)):
        why = (
            "Its files are not of one write: clcache writes them within moments, and "
            f"{' and '.join(map(display, late))} differ by more than a minute."
        )
        yield _finding(case, FindingKind.MIXED_ENTRY, verdict, why, late)
    others = tuple(sorted((*(set(seen.files) - FILES), *seen.strange)))
    if HALF_COPIED in seen.files:
        others = (HALF_COPIED, *others)
    if others:
        why = "It also holds what clcache does not read there; that is left alone."
        yield _finding(case, FindingKind.FOREIGN_FILE, verdict, why, others[:50])


def _written_apart(case: Case) -> tuple[bytes, ...]:
    """The first and the last written of its files, where clcache's one write is not seen."""
    times = sorted(
        (at, name) for name, at in case.times.items() if name in {OBJECT, OUTPUT, ERRORS}
    )
    if not times or times[-1][0] - times[0][0] <= _AT_ONCE_NS:
        return ()
    return times[0][1], times[-1][1]


def _finding(  # noqa: PLR0917 - the order in which a finding is told
    case: Case,
    kind: FindingKind,
    verdict: EntryVerdict,
    why: str,
    files: tuple[bytes, ...],
    repairs: tuple[RepairOffer, ...] = (),
) -> Finding:
    wrong = verdict is not EntryVerdict.UNVERIFIABLE
    return Finding(
        kind=kind,
        severity=Severity.PROBLEM if wrong else Severity.NOTICE,
        verdict=verdict,
        subject=case.entry.name,
        path=case.path,
        explanation=why,
        files=files,
        repairs=repairs,
    )
