"""Answers of the scan's workers, as arrays: the other end of ``wire.Answer``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cachewright.inventory.wire import HEADER, Answer

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
UInt32 = npt.NDArray[np.uint32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Unpacked:
    """An answer's columns; ``troubles`` has rows of (directory, code, names)."""

    directory_mtimes: Int64
    directory_ctimes: Int64
    directory_inodes: UInt64
    sizes: Int64
    mtimes: Int64
    ctimes: Int64
    inodes: UInt64
    abroad_devices: UInt64
    troubles: Int64
    refs: UInt32
    counts: UInt32
    modes: UInt32
    links: UInt32
    abroad: UInt32
    roles: UInt8
    names: UInt8

    @property
    def ends(self) -> Int64:
        """Where each row's name ends, its ``/`` included."""
        ends: Int64 = np.flatnonzero(self.names == ord("/")) + 1
        return ends


def unpack(frame: bytes | bytearray) -> Unpacked:
    """The other end of ``Answer.parts``; ``ValueError`` where the frame contradicts itself."""
    if len(frame) < HEADER.size:
        raise ValueError("an answer without its head")
    directories, rows, abroad, troubles, names = HEADER.unpack_from(frame)
    at = HEADER.size
    layout: tuple[tuple[int, type[Any]], ...] = (
        *((directories, np.int64), (directories, np.int64), (directories, np.uint64)),
        *((rows, np.int64), (rows, np.int64), (rows, np.int64), (rows, np.uint64)),
        *((abroad, np.uint64), (3 * troubles, np.int64)),
        *((directories, np.uint32), (directories, np.uint32)),
        *((rows, np.uint32), (rows, np.uint32), (abroad, np.uint32)),
        *((rows, np.uint8), (names, np.uint8)),
    )
    if len(frame) != at + sum(count * np.dtype(kind).itemsize for count, kind in layout):
        raise ValueError("an answer of the wrong length")
    arrays: list[npt.NDArray[Any]] = []
    for count, kind in layout:
        arrays.append(np.frombuffer(frame, kind, count, at))
        at += count * np.dtype(kind).itemsize
    answer = Unpacked(*arrays)
    if len(answer.ends) != rows or int(answer.counts.sum()) != rows:
        raise ValueError("an answer whose names do not fit its rows")
    return answer


def frame_of(answer: Answer) -> bytes:
    """An answer made in this process, as it would have come through a pipe."""
    return b"".join(bytes(part) for part in answer.parts())
