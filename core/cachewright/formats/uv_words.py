"""The sentences about entries of a uv cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.uv_compare import Compared

_NAMED: Final = 5

SERVED: Final = "uv never looks at these digests, so every new environment gets it as it is."
RUN: Final = "uv never looks at these digests, so the tool runs with it as it is."
FAILS: Final = "uv cannot install the package from it."
FETCHED_AGAIN: Final = (
    "uv fetches the wheel again when it is next needed; what is moved can be put back from "
    "quarantine."
)
BUILT_AGAIN: Final = (
    "uv makes it again when it is next needed; what is moved can be put back from quarantine."
)


def counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def listed(names: Sequence[bytes]) -> str:
    """Some names, safe to show; the rest by number."""
    shown = ", ".join(display(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def ok_words(compared: Compared) -> str:
    """What was found good, and what nothing vouches for."""
    files = counted(compared.fitting, "file")
    says = f"{files} match the digests in RECORD."
    if compared.fitting == 1:
        says = "1 file matches its digest in RECORD."
    return " ".join((says, "RECORD itself has none.", *unvouched(compared))).rstrip()


def unvouched(compared: Compared) -> list[str]:
    """What no digest covers, by reason."""
    said = []
    if compared.bare:
        said.append(
            f"{counted(len(compared.bare), 'file')} had no digest in the wheel, so only the size "
            f"is known: {listed(compared.bare)}."
        )
    if compared.unknown:
        said.append(f"The digest of {listed(compared.unknown)} is of a kind not computed here.")
    if compared.compiled:
        count = counted(len(compared.compiled), "compiled file")
        said.append(f"{count} (.pyc) came later; nothing vouches for such files.")
    return said


def wrong_words(compared: Compared) -> str:
    """``a differs from RECORD.  b is missing.``"""
    said = []
    for name in compared.changed[:_NAMED]:
        have = compared.cut.get(name)
        if have is not None and have[0] == 0:
            said.append(f"{display(name)} is empty ({have[1]} bytes are recorded).")
        elif have is not None:
            said.append(f"{display(name)} is cut short ({have[0]} of {have[1]} bytes).")
        else:
            said.append(f"{display(name)} is not what RECORD says.")
    if len(compared.changed) > _NAMED:
        said.append(f"{len(compared.changed) - _NAMED} more files are not.")
    if compared.missing:
        verb = "is" if len(compared.missing) == 1 else "are"
        said.append(f"{listed(compared.missing)} {verb} missing.")
    if compared.extra:
        verb = "is" if len(compared.extra) == 1 else "are"
        said.append(f"{listed(compared.extra)} {verb} not in RECORD and came from elsewhere.")
    return " ".join(said)


def consequence(compared: Compared, title: str, info: bytes) -> str:
    """What a person will notice of it."""
    metadata = info + b"/METADATA"
    if metadata in compared.cut and compared.cut[metadata][0] == 0:
        return f"uv fails on every install of {title} because of the empty METADATA."
    if metadata in compared.missing or info + b"/WHEEL" in compared.missing:
        return f"uv fails on every install of {title} without it."
    return SERVED


def shared_words(links: int, names: Sequence[bytes]) -> str:
    """``links`` is the largest number of names that one of the files has."""
    if links < 2:  # noqa: PLR2004 - a file has one name of its own
        return ""
    places = counted(links - 1, "other place")
    what = listed(names) if names else "Its files"
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{what} {verb} hard-linked from {places}, most likely virtual environments: they share "
        "the very same bytes, and a repair here leaves them as they are."
    )
