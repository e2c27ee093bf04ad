"""What the scan and its worker processes say to each other: fixed binary layouts, no pickles.

Both ends run on one machine, so numbers are in its own byte order.  Only small modules of the
standard library are imported here: workers must start in a few milliseconds.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

TYPE_BITS: Final = 0o170000
TYPE_DIRECTORY: Final = 0o040000
TYPE_FILE: Final = 0o100000
TYPE_LINK: Final = 0o120000
MASK_OF_TYPE: Final = {TYPE_DIRECTORY: 1, TYPE_FILE: 2, TYPE_LINK: 4}
MASK_OF_OTHERS: Final = 8

LATEST_NS: Final = (1 << 63) - 1
"""Times that a column cannot hold (after the year 2262) are taken for this."""

HEADER: Final = struct.Struct("=5Q")
"""Of an answer: directories read, rows, rows on other file systems, troubles, name bytes."""

_REQUEST: Final = struct.Struct("=IBI")
_BUDGET: Final = struct.Struct("=Q")
_SETTINGS: Final = struct.Struct("=QdI")
_RULE: Final = struct.Struct("=IBBIIIi")
_ANYWHERE: Final = -1
"""Instead of the length of a pattern that is not there."""


class Row(NamedTuple):
    """A ``model.Rule`` as the workers want it; ``mask`` stands for its types."""

    depth: int
    mask: int
    role: int
    name: re.Pattern[bytes]
    under: re.Pattern[bytes] | None


Rules = tuple[Row, ...]


def clamped(at_ns: int) -> int:
    """A time as the inventory's columns can hold it."""
    return max(-LATEST_NS, min(at_ns, LATEST_NS))


class Request(NamedTuple):
    """A directory to be read; ``depth`` and ``role`` are those of the directory itself."""

    path: bytes
    depth: int
    role: int


class Settings(NamedTuple):
    """What stays the same during a scan: the root's device, the seconds after which a worker
    answers, the rules, and where what is scanned lies below the root that the rules speak of."""

    device: int
    seconds: float
    rules: Rules
    base: bytes = b""


def pack_settings(settings: Settings) -> bytes:
    """The first frame to a worker."""
    parts = [_SETTINGS.pack(settings.device, settings.seconds, len(settings.rules))]
    for depth, mask, role, name, under in settings.rules:
        flags, length = (0, _ANYWHERE) if under is None else (under.flags, len(under.pattern))
        parts.append(_RULE.pack(depth, mask, role, name.flags, len(name.pattern), flags, length))
        parts += [name.pattern, b"" if under is None else under.pattern]
    return b"".join(parts)


def unpack_settings(frame: bytes) -> Settings:
    device, seconds, count = _SETTINGS.unpack_from(frame)
    at = _SETTINGS.size
    rules: list[Row] = []
    for _ in range(count):
        depth, mask, role, flags, length, under_flags, under_length = _RULE.unpack_from(frame, at)
        at += _RULE.size
        name = re.compile(frame[at : at + length], flags)
        at += length
        under: re.Pattern[bytes] | None = None
        if under_length != _ANYWHERE:
            under = re.compile(frame[at : at + under_length], under_flags)
            at += under_length
        rules.append(Row(depth, mask, role, name, under))
    return Settings(device, seconds, tuple(rules))


def pack_requests(requests: Iterable[Request], rows: int) -> bytes:
    """Any later frame to a worker, which answers after about so many ``rows``."""
    parts = [_BUDGET.pack(rows)]
    for path, depth, role in requests:
        parts += [_REQUEST.pack(depth, role, len(path)), path]
    return b"".join(parts)


def unpack_requests(frame: bytes) -> tuple[list[Request], int]:
    (rows,) = _BUDGET.unpack_from(frame)
    requests: list[Request] = []
    at = _BUDGET.size
    while at < len(frame):
        depth, role, length = _REQUEST.unpack_from(frame, at)
        at += _REQUEST.size
        requests.append(Request(frame[at : at + length], depth, role))
        at += length
    return requests, rows


class Answer:
    """What was read: directories in the order read, and their children in the same order.

    A directory is named (``refs``) by its number in the request, or by the number of requests
    plus its row in this answer.  Requested directories that are not listed were not read yet.
    """

    def __init__(self) -> None:
        self.refs, self.counts = array("I"), array("I")
        self.directory_mtimes, self.directory_ctimes = array("q"), array("q")
        self.directory_inodes = array("Q")
        self.sizes, self.mtimes, self.ctimes = array("q"), array("q"), array("q")
        self.inodes, self.modes, self.links = array("Q"), array("I"), array("I")
        self.roles = bytearray()
        self.abroad, self.abroad_devices = array("I"), array("Q")
        self.troubles = array("q")
        self.names: list[bytes] = []

    def __len__(self) -> int:
        return len(self.modes)

    def trouble(self, code: int, names: int = 0) -> None:
        """Note what went wrong with the directory now being read: an errno, and how many
        names in it could not be looked at (0: it could not be listed)."""
        self.troubles.extend((len(self.refs), code, names))

    def parts(self) -> list[bytes | bytearray | array[int]]:
        """The frame in pieces, wide columns first; ``columns.unpack`` is the other end."""
        names = b"".join(self.names)
        header = HEADER.pack(
            len(self.refs), len(self), len(self.abroad), len(self.troubles) // 3, len(names)
        )
        return [
            header,
            *(self.directory_mtimes, self.directory_ctimes, self.directory_inodes),
            *(self.sizes, self.mtimes, self.ctimes, self.inodes),
            *(self.abroad_devices, self.troubles),
            *(self.refs, self.counts, self.modes, self.links, self.abroad),
            *(self.roles, names),
        ]
