"""Judges a wheel that uv built itself: no digest of it is recorded, but it vouches for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cachewright.errors import SourceUnusable
from cachewright.formats.base import Judgement
from cachewright.formats.uv_judge import Case, finding, single
from cachewright.formats.uv_words import counted
from cachewright.model import EntryVerdict, FindingKind

if TYPE_CHECKING:
    from cachewright.formats.uv_copies import Unpacked


_CHANGED: Final = "It changed while it was looked at."


def judge_built(
    case: Case, read: Callable[[], Unpacked], sha256: Callable[[], str | None]
) -> Judgement:
    """By the checksums of the zip archive and the RECORD in it; ``read`` reads it anew, and
    ``sha256`` is that of the file as it is now, None where it cannot be read."""
    seen = case.seen.files.get(b"")
    if seen is None:
        words = "something that is no file lies where a wheel belongs."
        kind, verdict = FindingKind.FOREIGN_TYPE, EntryVerdict.CORRUPT
        return single(case, finding(case, kind, verdict, words))
    try:
        wheel = read()
    except SourceUnusable as error:
        if sha256() not in {None, seen.sha256}:
            return Judgement(EntryVerdict.UNVERIFIABLE, _CHANGED)
        reason = error.values["reason"].rstrip(".")
        words = f"the wheel that uv built cannot be unpacked: {reason}."
        kind, verdict = FindingKind.CORRUPT_ENTRY, EntryVerdict.CORRUPT
        return single(case, finding(case, kind, verdict, words))
    if wheel.sha256 != seen.sha256:
        return Judgement(EntryVerdict.UNVERIFIABLE, _CHANGED)
    if not wheel.sound:
        why = "Its RECORD does not fit its own files, so it was built like that."
        return Judgement(EntryVerdict.UNVERIFIABLE, why)
    files = counted(len(wheel.files) - 1, "file")
    why = f"{files} in it match the RECORD in it. uv records no digest of the wheel file itself."
    return Judgement(EntryVerdict.OK, why)
