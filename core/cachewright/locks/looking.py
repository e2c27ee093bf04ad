"""Looking at one lock, whatever its kind: who holds it, is it dead, and how that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachewright.locks import existence, info_file, kernel
from cachewright.locks.around import Around, Reader
from cachewright.model import Evidence, HoldVerdict, LockKind, LockPlace, LockReport, Says

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

__all__ = ["Around", "Reader", "look"]


def look(root: Directory, place: LockPlace, reader: Reader, around: Around) -> LockReport | None:
    """The lock at ``place`` as it is now; nothing is locked, waited for or changed.

    None where there is no such lock now (an existence lock or an info file that is not there).
    Never raises for what lies there: what cannot be looked at is ``unproven``, with the reason.
    """
    if place.kind in {LockKind.FLOCK, LockKind.POSIX, LockKind.OFD}:
        return kernel.look(root, place, around.survey, around.kernel)
    if place.kind is LockKind.EXISTENCE:
        return existence.look(root, place, reader, around)
    if place.kind is LockKind.INFO_FILE:
        return info_file.look(root, place, reader, around)
    return _unknown_kind(root, place)


def _unknown_kind(root: Directory, place: LockPlace) -> LockReport:
    text = f"A lock of kind {place.kind} cannot be looked at as a file."
    return LockReport(
        id=place.id,
        kind=place.kind,
        path=root.where(place.relative),
        verdict=HoldVerdict.UNPROVEN,
        subject=place.subject,
        explanation=text,
        owner=place.owner,
        evidence=(Evidence("kind", Says.UNKNOWN, text),),
    )
