"""The list of members at the end of a zip, read so that it can be read in one way only."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from cachewright.storage.archives.content import read_at
from cachewright.storage.archives.limits import ArchiveLimits

_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_LISTED: Final = struct.Struct("<4s6H3L5H2L")
_EXTRA: Final = struct.Struct("<2H")
_LONGEST_COMMENT: Final = 0xFFFF
_FULL_16: Final = 0xFFFF
_FULL_32: Final = 0xFFFFFFFF
_ZIP64: Final = 1

BAD_LIST: Final = "its list of members is damaged"


@dataclass(frozen=True, slots=True)
class Listed:
    """One member as the list tells it; ``system`` is where its ``attributes`` are from."""

    name: bytes
    system: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int


@dataclass(frozen=True, slots=True)
class _End:
    """Where the list lies: ``at`` is where what follows it begins."""

    count: int
    length: int
    offset: int
    at: int


def read_list(fd: int, size: int, limits: ArchiveLimits) -> tuple[list[Listed], int]:
    """All members, and where their list begins: nothing of a member may lie behind that."""
    end = _find_end(fd, size)
    if end.count > limits.members:
        raise ValueError(f"it has {end.count} members, more than {limits.members}")
    if end.length > limits.list_bytes:
        raise ValueError("its list of members is too long")
    if end.offset + end.length != end.at:
        raise ValueError("its list of members is not where it says")
    content = read_at(fd, end.length, end.offset)
    listed = list(islice(_members(content), end.count + 1))
    if len(listed) != end.count:
        raise ValueError("its list has another number of members than it says")
    return listed, end.offset


def _find_end(fd: int, size: int) -> _End:
    """The one record at the end of which the file ends; with two, two readers might differ."""
    length = min(size, _END.size + _LONGEST_COMMENT)
    tail = read_at(fd, length, size - length)
    found = [at for at in _places(tail) if _fits(tail, at)]
    if len(found) != 1:
        raise ValueError("it has two ends" if found else "it is no zip archive, or cut off")
    at = size - length + found[0]
    _, disk, first_disk, here, count, list_bytes, offset, _ = _END.unpack_from(tail, found[0])
    if at >= _LOCATOR.size:
        locator = read_at(fd, _LOCATOR.size, at - _LOCATOR.size)
        if locator.startswith(b"PK\6\7"):
            plain = (disk, first_disk, here, count, list_bytes, offset)
            return _find_end_64(fd, at - _LOCATOR.size, locator, plain)
    if disk or first_disk or here != count:
        raise ValueError("it is one part of several")
    return _End(count, list_bytes, offset, at)


def _places(tail: bytes) -> Iterator[int]:
    at = tail.find(b"PK\5\6")
    while at >= 0:
        yield at
        at = tail.find(b"PK\5\6", at + 1)


def _fits(tail: bytes, at: int) -> bool:
    if at + _END.size > len(tail):
        return False
    comment: int = _END.unpack_from(tail, at)[-1]
    return at + _END.size + comment == len(tail)


def _find_end_64(fd: int, locator_at: int, locator: bytes, plain: tuple[int, ...]) -> _End:
    """The longer record; where the short one tells something too, both must tell the same."""
    _, disk, at, disks = _LOCATOR.unpack(locator)
    if at + _END_64.size != locator_at:
        raise ValueError(BAD_LIST)
    fields = _END_64.unpack(read_at(fd, _END_64.size, at))
    if fields[0] != b"PK\6\6" or fields[1] != _END_64.size - 12:
        raise ValueError(BAD_LIST)
    long = fields[4:]
    for short, full, true in zip(plain, (*[_FULL_16] * 4, *[_FULL_32] * 2), long, strict=True):
        if short not in {full, true}:
            raise ValueError("its two lists of members contradict each other")
    if disk or disks > 1 or long[0] or long[1] or long[2] != long[3]:
        raise ValueError("it is one part of several")
    return _End(long[3], long[4], long[5], at)


def _members(content: bytes) -> Iterator[Listed]:
    at = 0
    while at < len(content):
        if at + _LISTED.size > len(content):
            raise ValueError(BAD_LIST)
        fields = _LISTED.unpack_from(content, at)
        name_at = at + _LISTED.size
        extra_at = name_at + fields[10]
        at = extra_at + fields[11] + fields[12]
        if fields[0] != b"PK\1\2" or at > len(content):
            raise ValueError(BAD_LIST)
        sizes = (fields[9], fields[8], fields[16])
        extra = content[extra_at : extra_at + fields[11]]
        size, packed, offset = long_values(extra, sizes)
        if fields[13] not in {0, _FULL_16}:
            raise ValueError("it is one part of several")
        yield Listed(
            name=content[name_at:extra_at],
            system=fields[1] >> 8,
            flags=fields[3],
            method=fields[4],
            crc=fields[7],
            packed=packed,
            size=size,
            attributes=fields[15],
            offset=offset,
        )


def long_values(extra: bytes, short: tuple[int, ...]) -> tuple[int, ...]:
    """Each value, from the extra field where 32 bits have no room for it."""
    found = [content for kind, content in _extra_fields(extra) if kind == _ZIP64]
    wanted = short.count(_FULL_32)
    if not wanted:
        return short
    if len(found) != 1 or len(found[0]) < 8 * wanted:
        raise ValueError("a member does not tell its size")
    long = iter(struct.unpack_from(f"<{wanted}Q", found[0]))
    return tuple(next(long) if value == _FULL_32 else value for value in short)


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Padding of less than a header, which some writers leave, is let be."""
    at = 0
    while at + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size + length
        if at > len(extra):
            if kind == _ZIP64:
                raise ValueError(BAD_LIST)
            return
        yield kind, extra[at - length : at]
