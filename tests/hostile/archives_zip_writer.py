"""Write zips that no honest writer would."""

from __future__ import annotations

import stat
import struct
import zlib
from dataclasses import dataclass

STORED, DEFLATED = 0, 8
FULL = 0xFFFFFFFF


@dataclass(frozen=True)
class Part:
    """A member; what is None is told as it is."""

    name: bytes
    content: bytes = b"content"
    mode: int = stat.S_IFREG | 0o644
    method: int = STORED
    system: int = 3
    flags: int = 0
    packed: bytes | None = None
    size: int | None = None
    crc: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    listed_extra: bytes = b""
    local_extra: bytes = b""
    offset: int | None = None
    listed_twice: int = 1
    descriptor: bytes = b""

    @property
    def data(self) -> bytes:
        if self.packed is not None:
            return self.packed
        return deflate(self.content) if self.method == DEFLATED else self.content

    @property
    def told(self) -> tuple[int, int, int]:
        crc = zlib.crc32(self.content) if self.crc is None else self.crc
        return crc, len(self.data), len(self.content) if self.size is None else self.size


def deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def local_header(part: Part) -> bytes:
    crc, packed, size = part.told
    if part.flags & 8:
        crc = packed = size = 0
    name = part.name if part.local_name is None else part.local_name
    size = size if part.local_size is None else part.local_size
    head = struct.pack("<4s5H", b"PK\3\4", 20, part.flags, part.method, 0, 33)
    sizes = struct.pack("<3L2H", crc, packed, size & FULL, len(name), len(part.local_extra))
    return head + sizes + name + part.local_extra


def listed(part: Part, offset: int) -> bytes:
    crc, packed, size = part.told
    head = struct.pack(
        "<4s6H", b"PK\1\2", part.system << 8 | 20, 20, part.flags, part.method, 0, 33
    )
    lengths = (len(part.name), len(part.listed_extra), 0, 0, 0)
    tail = struct.pack(
        "<3L5H2L", crc, packed & FULL, size & FULL, *lengths, part.mode << 16 & FULL, offset & FULL
    )
    return head + tail + part.name + part.listed_extra


def end(count: int, length: int, offset: int, comment: bytes = b"", *, disk: int = 0) -> bytes:
    shown = min(count, 0xFFFF)
    numbers = (disk, disk, shown, shown, length & FULL, offset & FULL, len(comment))
    return struct.pack("<4s4H2LH", b"PK\5\6", *numbers) + comment


def end_64(count: int, length: int, offset: int, at: int) -> bytes:
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)


def zip_of(*parts: Part, comment: bytes = b"", count: int | None = None) -> bytes:
    """The members one after the other, then their list, then its end."""
    body, lists, number = b"", b"", 0
    for part in parts:
        offset = len(body) if part.offset is None else part.offset
        body += local_header(part) + part.data + part.descriptor
        lists += listed(part, offset) * part.listed_twice
        number += part.listed_twice
    return body + lists + end(number if count is None else count, len(lists), len(body), comment)
