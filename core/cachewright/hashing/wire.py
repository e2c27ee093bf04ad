"""What the verify engine and its worker processes say to each other: fixed binary layouts.

Both ends run on one machine, so numbers are in its own byte order.  Only small modules of the
standard library are imported here: workers must start quickly.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

RACY_NS: Final = 20_000_000
"""Clocks of file systems tick this coarsely at worst: two changes within one tick leave the
same time."""
UNLISTED: Final = 0xFFFFFFFF
"""Number of names where there are none to count."""

_HEAD: Final = struct.Struct("=BI")
_GROUP: Final = struct.Struct("=IIQ")
_PLACE: Final = struct.Struct("=IIQQqqq")
_COUNT: Final = struct.Struct("=Q")


class Kind(IntEnum):
    """Kinds of frame to a worker."""

    ROOT = 0
    FORGET = 1
    HASH = 2
    COMPARE = 3


class Status(IntEnum):
    """What became of one file or place."""

    GOOD = 0
    CHANGED = 1
    TROUBLE = 2


Signature: TypeAlias = tuple[int, int, int, int, int]
"""What must not change while a file is hashed: device, inode, size, mtime_ns, ctime_ns.  Bare
tuples, because three are made for every file."""
SIZE: Final = 2
CTIME_NS: Final = 4


class Group(NamedTuple):
    """Files of one directory (``path`` below the root), each with its signature."""

    path: bytes
    names: list[bytes]
    signatures: list[Signature]


class Place(NamedTuple):
    """A path below the root that should be as it was; ``names``: how many a directory has."""

    path: bytes
    signature: Signature
    names: int


def pack_algorithms(algorithms: Sequence[str]) -> bytes:
    """The first frame."""
    return "\n".join(algorithms).encode("ascii")


def unpack_algorithms(frame: bytes) -> list[str]:
    return frame.decode("ascii").split("\n") if frame else []


def pack_head(kind: Kind, root: int) -> bytes:
    """How every later frame begins: what to do below the root that was sent by this number."""
    return _HEAD.pack(kind, root)


def unpack_head(frame: bytes) -> tuple[int, int]:
    kind, root = _HEAD.unpack_from(frame)
    return kind, root


def pack_group(path: bytes, names: Sequence[bytes], columns: Iterable[bytes]) -> bytes:
    """Part of a ``HASH`` frame; ``columns``: the signatures' five columns of 64-bit numbers."""
    text = b"/".join(names)
    return b"".join((_GROUP.pack(len(path), len(names), len(text)), path, text, *columns))


def unpack_groups(frame: bytes) -> list[Group]:
    groups: list[Group] = []
    at = _HEAD.size
    while at < len(frame):
        path_bytes, count, text_bytes = _GROUP.unpack_from(frame, at)
        at += _GROUP.size
        path = frame[at : at + path_bytes]
        at += path_bytes
        names = frame[at : at + text_bytes].split(b"/")
        at += text_bytes
        columns = []
        for code in "QQqqq":
            column = array(code)
            column.frombytes(frame[at : at + 8 * count])
            columns.append(column)
            at += 8 * count
        groups.append(Group(path, names, list(zip(*columns, strict=True))))
    return groups


def pack_place(place: Place) -> bytes:
    """Part of a ``COMPARE`` frame."""
    return _PLACE.pack(len(place.path), place.names, *place.signature) + place.path


def unpack_places(frame: bytes) -> list[Place]:
    places: list[Place] = []
    at = _HEAD.size
    while at < len(frame):
        length, names, device, inode, size, mtime_ns, ctime_ns = _PLACE.unpack_from(frame, at)
        at += _PLACE.size
        signature = (device, inode, size, mtime_ns, ctime_ns)
        places.append(Place(frame[at : at + length], signature, names))
        at += length
    return places


class Answer:
    """One line per file or place, in the order asked: status, errno of a trouble, mode, and
    the digests one after the other (zeros where there is none)."""

    def __init__(self, digest_bytes: int) -> None:
        self._none = bytes(digest_bytes)
        self.statuses = bytearray()
        self.codes, self.modes = array("i"), array("I")
        self.digests: list[bytes] = []

    def add(self, status: Status, code: int = 0, mode: int = 0, digests: bytes = b"") -> None:
        self.statuses.append(status)
        self.codes.append(code)
        self.modes.append(mode)
        self.digests.append(digests or self._none)

    def parts(self) -> list[bytes | bytearray | array[int]]:
        head = _COUNT.pack(len(self.statuses))
        return [head, self.codes, self.modes, self.statuses, b"".join(self.digests)]


class Answered(NamedTuple):
    """The other end of ``Answer``; ``digests`` in hex, ``width`` digits per line."""

    statuses: bytes
    codes: array[int]
    modes: array[int]
    digests: str
    width: int


def unpack_answer(frame: bytes | bytearray, digest_bytes: int) -> Answered:
    """``ValueError`` where the frame contradicts itself."""
    if len(frame) < _COUNT.size:
        raise ValueError("an answer without its head")
    (count,) = _COUNT.unpack_from(frame)
    if len(frame) != _COUNT.size + count * (4 + 4 + 1 + digest_bytes):
        raise ValueError("an answer of the wrong length")
    codes, modes = array("i"), array("I")
    at = _COUNT.size
    codes.frombytes(frame[at : at + 4 * count])
    at += 4 * count
    modes.frombytes(frame[at : at + 4 * count])
    at += 4 * count
    statuses = bytes(frame[at : at + count])
    return Answered(statuses, codes, modes, frame[at + count :].hex(), 2 * digest_bytes)
