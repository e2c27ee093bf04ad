"""Which names are lists of checksums or sidecars, and what their lines' names lead to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cachewright.formats.checksums_lists import algorithm_named

_WORD: Final = (
    rb"(?P<word>md5|sha-?1|sha-?2?-?224|sha-?2?-?256|sha-?2?-?384|sha-?2?-?512"
    rb"|sha3-(?:224|256|384|512)|blake2[bs]|b2)"
)
_LIST: Final = re.compile(
    rb"(?:.*[._-])?(?:" + _WORD + rb"[._-]?sums?|sha[._-]?sums?|check[._-]?sums?|digests)"
    rb"(?:[._-]?(?P<after>md5|(?:sha)?(?:1|224|256|384|512)))?(?:\.txt)?",
    re.IGNORECASE | re.DOTALL,
)
_SIDECAR: Final = re.compile(
    rb"(?P<stem>.+)\." + _WORD + rb"(?:sum)?(?:\.txt)?", re.IGNORECASE | re.DOTALL
)
_PLAIN: Final = re.compile(rb"(?:sha-?)?(?:2-)?(1|224|256|384|512)")

LISTS: Final = re.compile(
    rb"(?i:" + _LIST.pattern.replace(b"(?P<word>", b"(?:").replace(b"(?P<after>", b"(?:") + rb")"
    rb"|(?i:" + _SIDECAR.pattern.replace(b"(?P<word>", b"(?:") + rb")",
    re.DOTALL,
)
"""Every name that ``kind_of`` knows."""

BAG: Final = b"bagit.txt"
BAG_INFO: Final = b"bag-info.txt"
FETCH: Final = b"fetch.txt"
PAYLOAD: Final = b"data"
MANIFEST: Final = re.compile(rb"(?P<tags>tag)?manifest-(?P<word>[A-Za-z0-9_-]+)\.txt")


_LONGEST_PATH: Final = 1 << 16
_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class Kind:
    """What a name says of the list that it names: the algorithm, if it tells, and the name of
    the one file that it is a sidecar of, if it is shaped like one."""

    algorithm: str | None
    stem: bytes = b""


def kind_of(name: bytes) -> Kind | None:
    """None where nothing in the name says that checksums are in it.

    ``data.bin.sha256`` may be a sidecar of ``data.bin`` or a list by itself: only what lies
    beside it tells.
    """
    if found := _SIDECAR.fullmatch(name):
        return Kind(_algorithm(found["word"]), found["stem"])
    if found := _LIST.fullmatch(name):
        return Kind(_algorithm(found["word"] or found["after"]))
    return None


def _algorithm(word: bytes | None) -> str | None:
    if word is None:
        return None
    lower = word.lower()
    plain = _PLAIN.fullmatch(lower)
    return algorithm_named(("sha" + plain[1].decode()) if plain else lower.decode("ascii"))


def joined(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name


def resolved(directory: bytes, name: bytes) -> tuple[bytes, str]:
    """The path below the root that ``name`` means in a list that lies in ``directory``, or the
    reason why it means none: the end of the sentence "line 3 ..."."""
    if name.startswith(b"/"):
        return b"", "has an absolute path"
    parts = directory.split(b"/") if directory else []
    for one in name.split(b"/"):
        if one == b"..":
            if not parts:
                return b"", "leads out of the directory that is looked at"
            parts.pop()
        elif one not in {b"", b"."}:
            parts.append(one)
    if name.endswith(b"/") or not parts or name == b"-":
        return b"", "names no file"
    if len(name) > _LONGEST_PATH or max(map(len, parts)) > _LONGEST_NAME:
        return b"", "has a name that is longer than any file's"
    return b"/".join(parts), ""
