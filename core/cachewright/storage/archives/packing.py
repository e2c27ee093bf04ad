"""Unpack a compressed stream block by block, never more than asked for at a time."""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from cachewright.digests import BLOCK
from cachewright.storage.archives.limits import ArchiveLimits, Watch

_RAW: Final = -15
_GZIP: Final = 31
_PACKED_BLOCK: Final = 64 << 10
"""Packed bytes read at once: what follows the end of one stream is copied for each that ends."""
_XZ_MEMORY: Final = 256 << 20
"""Bytes that one xz stream may ask for: all of its own presets need less."""


class Unpacker(Protocol):
    """One compressed stream, as ``bz2`` and ``lzma`` have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...


class Inflate:
    """A deflate stream with the interface of the others; without a header, or gzip's."""

    def __init__(self, window_bits: int = _RAW) -> None:
        self._stream = zlib.decompressobj(window_bits)
        self._tail = b""
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes:
        block = self._stream.decompress(self._tail + data, max_length)
        self._tail = self._stream.unconsumed_tail
        # A full block may have left something inside although all input was taken.
        self.needs_input = not self._tail and len(block) < max_length
        return block


def _gzip() -> Unpacker:
    return Inflate(_GZIP)


def _xz() -> Unpacker:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


PACKED: Final[Mapping[bytes, Callable[[], Unpacker]]] = {
    b"\x1f\x8b": _gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": _xz,
}
"""How a compressed stream begins, and what unpacks it."""


class Stream:
    """What an archive holds, in its order; ``at`` is the number of bytes given so far."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = memoryview(b"")
        self.at = 0

    def take(self, length: int) -> bytes:
        """Exactly so many bytes; ``ValueError`` where it ends before."""
        taken = bytearray()
        while len(taken) < length:
            taken += self._some(length - len(taken))
        return bytes(taken)

    def skip(self, length: int) -> None:
        while length:
            length -= len(self._some(length))

    def pieces(self, length: int) -> Iterator[bytes]:
        """The next so many bytes, in blocks."""
        while length:
            some = self._some(length)
            length -= len(some)
            yield bytes(some)

    def rest(self) -> Iterator[bytes]:
        """Everything to its end, in blocks."""
        yield bytes(self._block)
        self._block = memoryview(b"")
        yield from self._blocks

    def _some(self, length: int) -> memoryview:
        while not self._block:
            block = next(self._blocks, None)
            if block is None:
                raise ValueError("it is cut off")
            self._block = memoryview(block)
        some, self._block = self._block[:length], self._block[length:]
        self.at += len(some)
        return some


class PlainStream(Stream):
    """A file as it is: what is skipped is not read."""

    def __init__(self, fd: int, watch: Watch, block_bytes: int = BLOCK) -> None:
        self._fd = fd
        self._block_bytes = block_bytes
        self._read_at = 0
        self._size = os.fstat(fd).st_size
        super().__init__(self._file_blocks(watch))

    def _file_blocks(self, watch: Watch) -> Iterator[bytes]:
        while block := os.pread(self._fd, self._block_bytes, self._read_at):
            watch.check()
            self._read_at += len(block)
            yield block

    def skip(self, length: int) -> None:
        if length <= len(self._block):
            super().skip(length)
            return
        self._read_at += length - len(self._block)
        self._block = memoryview(b"")
        self.at += length
        if self._read_at > self._size:
            raise ValueError("it is cut off")


def open_stream(fd: int, limits: ArchiveLimits, watch: Watch) -> Stream:
    """The content of a tar, unpacked if it is packed; ``ValueError`` as soon as it costs more
    than the limits allow."""
    head = os.pread(fd, max(map(len, PACKED)), 0)
    for magic, new in PACKED.items():
        if head.startswith(magic):
            packed = PlainStream(fd, watch, _PACKED_BLOCK).rest()
            return Stream(_limited(_unpacked(packed, new), os.fstat(fd).st_size, limits, watch))
    return PlainStream(fd, watch)


def _unpacked(packed: Iterator[bytes], new: Callable[[], Unpacker]) -> Iterator[bytes]:
    """Several compressed streams one after the other are one."""
    one = new()
    while True:
        data = b""
        if one.eof:
            data = one.unused_data or next(packed, b"")
            if not data:
                return
            one = new()
        elif one.needs_input:
            data = next(filter(None, packed), b"")
            if not data:
                raise ValueError("it is cut off")
        yield one.decompress(data, BLOCK)


def _limited(
    blocks: Iterator[bytes], packed: int, limits: ArchiveLimits, watch: Watch
) -> Iterator[bytes]:
    total = 0
    for block in blocks:
        watch.check()
        total += len(block)
        limits.refuse_total(total, packed)
        yield block
