"""Sentences about files on their way from one system to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cachewright.formats.handoff_holes import Filling, range_words, size_words
from cachewright.model import EntryVerdict, Evidence, Finding, FindingKind, Says, Severity
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.handoff_names import Temporary

_RANGES_TOLD: Final = 20

SIZE_SAYS_NOTHING: Final = (
    "Its size was not believed: a file can have its final size long before all of it is written."
)


YOUNG: Final = (
    "It changed within the last ten minutes: a writer that opens it anew for each part may still "
    "be at it."
)
"""Age proves nothing, but may make somebody wait (DESIGN 6.2)."""


def unfinished_name(found: Temporary, *, final_is_there: bool) -> str:
    """What a temporary name tells."""
    final = display(found.final)
    verb = "is a name that" if found.certain else "looks like a name that"
    said = f"It {verb} {found.writer} gives to a file before it is finished; "
    said += f"finished, it would be {final}."
    if final_is_there:
        said += f" There is a {final} beside it, which is another file."
    return said


def ranges(filling: Filling) -> str:
    """How much of a file is missing, and where."""
    size, missing = filling.size, filling.missing_bytes
    told = range_words(filling.missing)
    at_least = "at least " if filling.more else ""
    if missing == size:
        return f"Nothing of its {size_words(size)} was ever written."
    return (
        f"Of its {size_words(size)}, {at_least}{size_words(missing)} were never written: "
        f"bytes {told}."
    )


def short(filling: Filling, wanted: int, source: bytes) -> str:
    """A file that is not as long as a record says."""
    return (
        f"It should have {size_words(wanted)} according to {display(source)}, and has "
        f"{size_words(filling.size)}: bytes {filling.size:,} to {wanted - 1:,} are missing."
    )


def range_evidence(filling: Filling) -> tuple[Evidence, ...]:
    """Each missing range by itself, as far as there are not too many."""
    return tuple(
        Evidence(
            "holes",
            Says.BAD,
            f"Bytes {start:,} to {stop - 1:,} ({size_words(stop - start)}) were never written.",
        )
        for start, stop in filling.missing[:_RANGES_TOLD]
    )


def gone(alone: bool | None) -> str:
    """That nobody goes on with an unfinished file, and how sure that is."""
    who = "nobody on this computer" if alone else "nobody who could be inspected"
    return f"It is not whole, and {who} has it open for writing."


def writer_evidence(alone: bool | None) -> Evidence:
    """The kernel's answer; one on another computer it does not know."""
    if alone:
        said = "The kernel says that nobody on this computer has it open for writing."
        return Evidence("writers", Says.DEAD, said)
    said = "The kernel could not be asked whether anybody has it open for writing."
    return Evidence("writers", Says.UNKNOWN, said)


def while_written(filling: Filling | None, found: Temporary | None) -> str:
    """What is to be told of a file while somebody writes to it."""
    said = [] if found is None else [unfinished_name(found, final_is_there=False)]
    if filling is not None and filling.missing:
        said.append(f"So far: {ranges(filling)}")
    said.append(SIZE_SAYS_NOTHING)
    return " ".join(said)


def promise(marker: bytes, *, older: bool) -> str:
    """What a marker is worth."""
    name = display(marker)
    if older:
        return f"{name} says that its writer was done, but the file changed after that."
    return f"{name} promises that its writer was done; it does not say what the file should hold."


def orphan(path: bytes, marker: bytes) -> Finding:
    """A marker or sidecar whose file is not there: picked up, or never delivered."""
    return Finding(
        kind=FindingKind.ORPHAN,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNVERIFIABLE,
        subject=display(marker),
        path=path,
        explanation="The file that it speaks of is not here: it was picked up already, or it was "
        "never delivered.",
    )


def joined_words(words: Sequence[str]) -> str:
    return " ".join(one for one in words if one)
