"""Findings about lists themselves: damage, weakness, what is missing and what nobody names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import humanize

from cachewright.formats.checksums_lists import Trouble, spelled
from cachewright.model import (
    EntryVerdict,
    Evidence,
    Finding,
    FindingKind,
    RepairOffer,
    Says,
    Severity,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.checksums_bags import Bag
    from cachewright.formats.checksums_claims import ListFile

_TOLD: Final = 3
_EVIDENCE: Final = 50
_FILES: Final = 50
_KILO: Final = 1000


def counted(count: int, thing: str) -> str:
    many = f"{thing[:-1]}ies" if thing.endswith("ry") else f"{thing}s"
    return f"{count:,} {thing if count == 1 else many}"


def of_list(path: bytes, about: ListFile) -> Finding | None:
    """What is wrong with one list; None where nothing is."""
    if about.unread:
        state = "is being changed" if about.unsettled else "could not be read"
        said = f"This list {state}: {about.unread}. Nothing was compared with it."
        return _damaged(path, about, said, Severity.PROBLEM)
    if not about.lines and not about.ends and not about.troubles:
        return _damaged(path, about, "This list is empty.", Severity.NOTICE)
    if not about.lines and about.troubles:
        said = f"No {about.unit} of it could be used: {_told(about.unit, about.troubles)}."
        return _damaged(path, about, said, Severity.PROBLEM, about.troubles)
    if about.troubles:
        many = counted(len(about.troubles), about.unit)
        verb = "is" if len(about.troubles) == 1 else "are"
        said = f"{many} of this list {verb} not right: {_told(about.unit, about.troubles)}."
        said += f" {about.stopped or 'The others were compared all the same.'}"
        return _damaged(path, about, said, Severity.PROBLEM, about.troubles)
    if about.general or about.remarks:
        said = " ".join(about.general)
        if about.remarks:
            said += f" In this list, {_told(about.unit, about.remarks)}."
        return _damaged(path, about, said.strip(), Severity.NOTICE, about.remarks)
    return None


def _told(unit: str, troubles: Sequence[Trouble]) -> str:
    shown = [f"{unit} {one.number} {one.reason}" for one in troubles[:_TOLD]]
    more = len(troubles) - _TOLD
    return "; ".join(shown) + (f"; and {counted(more, unit)} more" if more > 0 else "")


def _damaged(
    path: bytes,
    about: ListFile,
    explanation: str,
    severity: Severity,
    troubles: Sequence[Trouble] = (),
) -> Finding:
    return Finding(
        kind=FindingKind.DAMAGED_METADATA,
        severity=severity,
        verdict=EntryVerdict.UNVERIFIABLE,
        subject=display(about.relative),
        path=path,
        explanation=explanation,
        evidence=tuple(
            Evidence("line", Says.BAD, f"{about.unit.capitalize()} {one.number} {one.reason}.")
            for one in troubles[:_EVIDENCE]
        ),
    )


def missing(
    subject: str,
    path: bytes,
    sources: Sequence[bytes],
    repairs: tuple[RepairOffer, ...],
    url: str = "",
) -> Finding:
    """A file that a list names and that is not there."""
    said = f"{' and '.join(display(one) for one in sources[:_TOLD])} names it, but it is not there."
    if url:
        said += f" It is still to be fetched from {url}; Cachewright fetches nothing."
    return Finding(
        kind=FindingKind.MISSING_FILE,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.INCOMPLETE,
        subject=subject,
        path=path,
        explanation=said,
        repairs=repairs,
    )


def many_missing(path: bytes, about: bytes, names: Sequence[bytes]) -> Finding:
    """The files that one list names and that are not there, where they are very many."""
    return Finding(
        kind=FindingKind.MISSING_FILE,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.INCOMPLETE,
        subject=display(about),
        path=path,
        explanation=f"{counted(len(names), 'more file')} that this list names are not there.",
        files=tuple(names[:_FILES]),
    )


def no_file(subject: str, path: bytes, what: str, sources: Sequence[bytes]) -> Finding:
    """Something that is no file where a list names one."""
    return Finding(
        kind=FindingKind.FOREIGN_TYPE,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.UNVERIFIABLE,
        subject=subject,
        path=path,
        explanation=f"{what} lies where {display(sources[0])} names a file. It was not read.",
    )


def weak(path: bytes, about: bytes, algorithms: Iterable[str], count: int) -> Finding:
    """Files that nothing stronger than this list vouches for."""
    words = " and ".join(spelled(one) for one in sorted(algorithms))
    return Finding(
        kind=FindingKind.WEAK_DIGEST,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.OK,
        subject=display(about),
        path=path,
        explanation=f"Nothing stronger than {words} vouches for {counted(count, 'file')} of this "
        "list. That shows accidents, but not a change that somebody made on purpose.",
    )


def of_bag(
    path: bytes, bag: Bag, unnamed: Sequence[bytes], held: tuple[int, int]
) -> Iterable[Finding]:
    """``unnamed`` are payload files that no manifest names, relative to the bag; ``held`` the
    bytes and files of the payload."""
    subject = display(bag.directory) or "the bag"
    for said in bag.troubles:
        yield _of_bag(FindingKind.DAMAGED_METADATA, subject, path, said)
    if unnamed:
        said = f"{counted(len(unnamed), 'payload file')} {'is' if len(unnamed) == 1 else 'are'} "
        said += "named by no manifest of this bag, so nothing vouches for what was added."
        yield _of_bag(FindingKind.FOREIGN_FILE, subject, path, said, tuple(unnamed[:_FILES]))
    if bag.oxum is not None and bag.oxum != held:
        size, files = bag.oxum
        said = (
            f"Its bag-info.txt counts {counted(files, 'payload file')} of {_bytes(size)} "
            f"together; there are {counted(held[1], 'file')} of {_bytes(held[0])}."
        )
        yield _of_bag(FindingKind.ACCOUNTING, subject, path, said)


def uneven(path: bytes, about: bytes, names: Sequence[bytes]) -> Finding:
    """Payload files that one manifest names and this one does not."""
    said = f"{counted(len(names), 'payload file')} that another manifest of the bag names "
    said += f"{'is' if len(names) == 1 else 'are'} missing in this one."
    kind = FindingKind.DAMAGED_METADATA
    return _of_bag(kind, display(about), path, said, tuple(names[:_FILES]))


def _of_bag(
    kind: FindingKind, subject: str, path: bytes, said: str, files: tuple[bytes, ...] = ()
) -> Finding:
    return Finding(
        kind=kind,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.UNVERIFIABLE,
        subject=subject,
        path=path,
        explanation=said,
        files=files,
    )


def _bytes(size: int) -> str:
    exact = counted(size, "byte")
    return f"{humanize.naturalsize(size)} ({exact})" if size >= _KILO else exact
