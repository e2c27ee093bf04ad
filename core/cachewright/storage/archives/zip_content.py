"""Zip archives."""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import Final

from cachewright.digests import BLOCK
from cachewright.storage.archives.content import ArchiveContent, Piece, read_at
from cachewright.storage.archives.limits import (
    Watch,
)
from cachewright.storage.archives.members import NO_FILE, Member, member
from cachewright.storage.archives.packing import Inflate
from cachewright.storage.archives.zip_list import Listed, long_values, read_list

_UNIX: Final = frozenset({3, 19})
"""Systems (3 Unix, 19 macOS) whose archives carry file modes."""
_STORED: Final = 0
_DEFLATED: Final = 8
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_SIZES_FOLLOW: Final = 0x8
_PATCH: Final = 0x20
_DOS_DIRECTORY: Final = 0x10
_LOCAL: Final = struct.Struct("<4s5H3L2H")


class ZipContent(ArchiveContent):
    """An open zip archive whose every member was found harmless; see ``ArchiveContent``."""

    def _list(self, watch: Watch) -> Collection[Member]:
        size = os.fstat(self._fd).st_size
        listed, end = read_list(self._fd, size, self._limits)
        self._limits.refuse_total(sum(one.size for one in listed), size)
        self._placed = [(_judged(one), one, self._place(one, end, watch)) for one in listed]
        self._placed.sort(key=lambda placed: placed[1].offset)
        reached = 0
        for _, one, start in self._placed:
            if one.offset < reached:
                raise ValueError("two members share bytes of it")
            reached = start + one.packed
        return [found for found, _, _ in self._placed]

    def _place(self, one: Listed, end: int, watch: Watch) -> int:
        """Where its content begins, by its own header, which must tell what the list tells."""
        watch.check()
        if one.offset + _LOCAL.size > end:
            raise ValueError("a member is not where it says")
        header = read_at(self._fd, _LOCAL.size, one.offset)
        magic, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack(header)
        start: int = one.offset + _LOCAL.size + name + extra
        if magic != b"PK\3\4" or start + one.packed > end:
            raise ValueError("a member is not where it says")
        rest = read_at(self._fd, name + extra, one.offset + _LOCAL.size)
        same = rest[:name] == one.name and method == one.method
        if not flags & _SIZES_FOLLOW:
            sizes = long_values(rest[name:], (size, packed))
            same = same and (crc, *sizes) == (one.crc, one.size, one.packed)
        if not same or (flags ^ one.flags) & (_ENCRYPTED | _SIZES_FOLLOW):
            raise ValueError("a member and the list of members contradict each other")
        return start

    def _contents(self, watch: Watch) -> Iterator[Piece]:
        for found, one, start in self._placed:
            if not found.directory:
                yield found, _unpacked(self._fd, one, start, watch)


def _judged(one: Listed) -> Member:
    directory = one.name.endswith(b"/")
    if one.flags & _ENCRYPTED:
        raise ValueError("a member is encrypted")
    if one.method not in {_STORED, _DEFLATED} or one.flags & _PATCH:
        raise ValueError("a member is packed in a way that is not read here")
    if one.method == _STORED and one.packed != one.size:
        raise ValueError("a member says two different sizes")
    mode = one.attributes >> 16 if one.system in _UNIX else 0
    kind = stat.S_IFMT(mode) or (stat.S_IFDIR if directory else stat.S_IFREG)
    if kind != (stat.S_IFDIR if directory else stat.S_IFREG):
        raise ValueError(NO_FILE)
    if one.attributes & _DOS_DIRECTORY and not directory:
        raise ValueError(NO_FILE)
    name = one.name[:-1] if directory else one.name
    return member(name, directory=directory, size=one.size, mode=stat.S_IMODE(mode))


def _unpacked(fd: int, one: Listed, start: int, watch: Watch) -> Iterator[bytes]:
    crc = 0
    packed = _blocks(fd, start, one.packed)
    for block in packed if one.method == _STORED or not one.packed else _inflated(packed):
        watch.check()
        crc = zlib.crc32(block, crc)
        yield block
    if crc != one.crc:
        raise ValueError("a member's content does not fit its CRC")


def _blocks(fd: int, at: int, length: int) -> Iterator[bytes]:
    while length:
        block = read_at(fd, min(length, BLOCK), at)
        at += len(block)
        length -= len(block)
        yield block


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    stream = Inflate()
    while not stream.eof:
        data = next(packed, b"") if stream.needs_input else b""
        if stream.needs_input and not data:
            raise ValueError("a member is cut off")
        yield stream.decompress(data, BLOCK)
    if stream.unused_data or next(packed, b""):
        raise ValueError("something follows a member's content")
