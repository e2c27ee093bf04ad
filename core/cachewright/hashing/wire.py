"""What the verify engine and its worker processes say to each other: fixed binary layouts.

Only small modules of the standard library are imported here: workers must start quickly.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

LATEST_NS: Final = (1 << 63) - 1
RACY_NS: Final = 20_000_000
"""Clocks of file systems tick this coarsely at worst: two changes within one tick look the
same."""

_FILE: Final = struct.Struct("=IQQqqqI")
_DONE: Final = struct.Struct("=BiIq")
_HEAD: Final = struct.Struct("=BI")
UNLISTED: Final = 0xFFFFFFFF
"""Number of names where it does not matter."""


class Kind(IntEnum):
    """Kinds of frame to a worker."""

    ROOT = 0
    FORGET = 1
    HASH = 2
    COMPARE = 3


class Status(IntEnum):
    """What became of one file or directory."""

    GOOD = 0
    CHANGED = 1
    TROUBLE = 2


class Known(NamedTuple):
    """A file or directory below a root, and its signature in the inventory.  ``names``: how
    many names a directory has, or ``UNLISTED``."""

    path: bytes
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    names: int = UNLISTED


class Done(NamedTuple):
    """``code``: the errno of a ``TROUBLE``; ``digests`` in the order of the algorithms."""

    status: int
    code: int
    mode: int
    size: int
    digests: bytes


def pack_algorithms(algorithms: Sequence[str]) -> bytes:
    """The first frame."""
    return "\n".join(algorithms).encode("ascii")


def unpack_algorithms(frame: bytes) -> list[str]:
    return frame.decode("ascii").split("\n") if frame else []


def pack_work(kind: Kind, root: int, items: Iterable[Known] = ()) -> bytes:
    """A later frame: what to do below the root that was sent with this number."""
    parts = [_HEAD.pack(kind, root)]
    for path, device, inode, size, mtime_ns, ctime_ns, names in items:
        parts += [_FILE.pack(len(path), device, inode, size, mtime_ns, ctime_ns, names), path]
    return b"".join(parts)


def unpack_work(frame: bytes) -> tuple[int, int, list[Known]]:
    kind, root = _HEAD.unpack_from(frame)
    items: list[Known] = []
    at = _HEAD.size
    while at < len(frame):
        length, *signature = _FILE.unpack_from(frame, at)
        at += _FILE.size
        items.append(Known(frame[at : at + length], *signature))
        at += length
    return kind, root, items


def pack_done(status: Status, code: int = 0, mode: int = 0, size: int = 0) -> bytes:
    """One item's answer, without its digests."""
    return _DONE.pack(status, code, mode, size)


def unpack_done(frame: bytes | bytearray, digest_bytes: int) -> list[Done]:
    """Answers, in the order asked; a good file's is followed by its digests."""
    done: list[Done] = []
    at = 0
    while at < len(frame):
        status, code, mode, size = _DONE.unpack_from(frame, at)
        at += _DONE.size
        end = at + (digest_bytes if status == Status.GOOD else 0)
        if end > len(frame):
            raise ValueError("an answer that ends too early")
        done.append(Done(status, code, mode, size, bytes(frame[at:end])))
        at = end
    return done
