"""The inventory's columns: how they grow while a scan runs, and views of what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cachewright.inventory.answers import Unpacked
from cachewright.inventory.wire import TYPE_BITS, TYPE_DIRECTORY

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Int32 = npt.NDArray[np.int32]
UInt32 = npt.NDArray[np.uint32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One array per property, one element per row; row 0 is the root.

    Names lie one after the other in ``names``, each followed by ``/``; ``offsets`` has one
    element more than there are rows.
    """

    size: Int64
    mtime_ns: Int64
    ctime_ns: Int64
    inode: UInt64
    device: UInt64
    mode: UInt32
    nlink: UInt32
    parent: Int32
    depth: Int32
    first: Int32
    count: Int32
    role: UInt8
    offsets: Int64
    names: UInt8


_TYPES: Final = {
    "size": np.int64,
    "mtime_ns": np.int64,
    "ctime_ns": np.int64,
    "inode": np.uint64,
    "device": np.uint64,
    "mode": np.uint32,
    "nlink": np.uint32,
    "parent": np.int32,
    "depth": np.int32,
    "first": np.int32,
    "count": np.int32,
    "role": np.uint8,
    "offsets": np.int64,
    "names": np.uint8,
}
_REWRITTEN: Final = frozenset({"first", "count"})
"""Written again when a directory has been read: a view of these would not stay consistent."""


def path_of(parent: Int32, offsets: Int64, names: UInt8, row: int) -> bytes:
    """Components from row 0 down, joined by ``/``."""
    components: list[bytes] = []
    while row:
        components.append(names[offsets[row] : offsets[row + 1] - 1].tobytes())
        row = int(parent[row])
    components.reverse()
    return b"/".join(components)


class Growing:
    """Columns that grow by whole answers.  Views given away stay as they were."""

    def __init__(self) -> None:
        self._rows = 0
        self._name_bytes = 0
        self._arrays: dict[str, npt.NDArray[Any]] = {
            name: np.zeros(1024, kind) for name, kind in _TYPES.items()
        }

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name]

    def add_root(self, **values: int) -> None:
        """Row 0, whose name is empty."""
        for name, value in values.items():
            self._arrays[name][0] = value
        self._arrays["parent"][0] = 0
        self._arrays["names"][0] = ord("/")
        self._arrays["offsets"][1] = 1
        self._rows, self._name_bytes = 1, 1

    def _reserve(self, rows: int, name_bytes: int) -> None:
        for name, old in self._arrays.items():
            used = self._name_bytes if name == "names" else self._rows + (name == "offsets")
            needed = used + (name_bytes if name == "names" else rows)
            if needed <= len(old):
                continue
            new = np.zeros(max(needed, 2 * len(old)), old.dtype)
            new[:used] = old[:used]
            self._arrays[name] = new

    def add(self, answer: Unpacked, requested: Sequence[int], device: int) -> Int64:
        """Append an answer's rows; ``requested`` are the rows of the directories asked for.

        Returns the rows of the directories that the answer describes, in its order.
        ``ValueError`` where it speaks of directories that do not exist.
        """
        base, rows = self._rows, len(answer.modes)
        refs = answer.refs.astype(np.int64)
        known = np.concatenate((np.asarray(requested, np.int64), np.arange(base, base + rows)))
        if len(refs) and refs.max() >= len(known):
            raise ValueError("an answer about a directory that was not asked for")
        directories: Int64 = known[refs]
        starts = base + np.cumsum(answer.counts, dtype=np.int64) - answer.counts
        if np.any(directories >= np.where(answer.counts > 0, starts, base + rows)):
            raise ValueError("an answer with children before their directory")
        self._reserve(rows, len(answer.names))
        new = slice(base, base + rows)
        arrays = self._arrays
        arrays["size"][new], arrays["mode"][new] = answer.sizes, answer.modes
        arrays["mtime_ns"][new], arrays["ctime_ns"][new] = answer.mtimes, answer.ctimes
        arrays["inode"][new], arrays["nlink"][new] = answer.inodes, answer.links
        arrays["role"][new], arrays["device"][new] = answer.roles, device
        arrays["device"][base + answer.abroad.astype(np.int64)] = answer.abroad_devices
        arrays["parent"][new] = np.repeat(directories, answer.counts)
        arrays["offsets"][base + 1 : base + rows + 1] = self._name_bytes + answer.ends
        arrays["names"][self._name_bytes : self._name_bytes + len(answer.names)] = answer.names
        self._name_bytes += len(answer.names)
        self._rows += rows
        self._describe(answer, directories, starts)
        return directories

    def _describe(self, answer: Unpacked, directories: Int64, starts: Int64) -> None:
        """Write what is now known of the directories that were read."""
        arrays = self._arrays
        arrays["first"][directories], arrays["count"][directories] = starts, answer.counts
        opened = answer.directory_inodes > 0
        rows = directories[opened]
        arrays["mtime_ns"][rows] = answer.directory_mtimes[opened]
        arrays["ctime_ns"][rows] = answer.directory_ctimes[opened]
        arrays["inode"][rows] = answer.directory_inodes[opened]
        # A directory comes before its children, so one pass in order gives every depth.
        depth = arrays["depth"]
        for row, start, count in zip(
            directories.tolist(), starts.tolist(), answer.counts.tolist(), strict=True
        ):
            depth[start : start + count] = depth[row] + 1

    def name(self, row: int) -> bytes:
        offsets = self._arrays["offsets"]
        return self._arrays["names"][offsets[row] : offsets[row + 1] - 1].tobytes()

    def path(self, row: int) -> bytes:
        arrays = self._arrays
        return path_of(arrays["parent"], arrays["offsets"], arrays["names"], row)

    def unread(self, base: int, directories: Int64) -> Int64:
        """Rows from ``base`` on that are directories of the root's file system and not among
        ``directories``."""
        modes, devices = self._arrays["mode"], self._arrays["device"]
        wanted = modes[base : self._rows] & TYPE_BITS == TYPE_DIRECTORY
        wanted &= devices[base : self._rows] == devices[0]
        wanted[directories[directories >= base] - base] = False
        return np.flatnonzero(wanted) + base

    def snapshot(self) -> Columns:
        """What is there now; costs two small copies, and later growth does not show in it."""
        views: dict[str, npt.NDArray[Any]] = {}
        for field in fields(Columns):
            name = field.name
            used = self._name_bytes if name == "names" else self._rows + (name == "offsets")
            view = self._arrays[name][:used]
            views[name] = view.copy() if name in _REWRITTEN else view.view()
            views[name].flags.writeable = False
        return Columns(**views)


def slices(starts: Int64, counts: Int64) -> Int64:
    """All numbers of the ranges ``[start, start + count)``, one range after the other."""
    total = int(counts.sum())
    shifts = np.repeat(starts - np.cumsum(counts) + counts, counts)
    return shifts + np.arange(total)
