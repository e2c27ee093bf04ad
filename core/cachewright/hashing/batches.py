"""What is sent to a worker together: files to hash, or places to compare, of one root."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar

import numpy as np

from cachewright.digests import FileDigest
from cachewright.hashing.entry import Entry
from cachewright.hashing.listing import Contents, columns, joined
from cachewright.hashing.wire import (
    Answered,
    Kind,
    Place,
    Status,
    pack_group,
    pack_head,
    pack_place,
    unpack_answer,
)

if TYPE_CHECKING:
    from cachewright.inventory.columns import Int64
    from cachewright.storage.anchored import Directory

Algorithm = tuple[str, int]
"""Its name and the number of bytes of its digests."""

_ITEMS_AT_ONCE: Final = 512
_WEIGHT_AT_ONCE: Final = 16 << 20
"""Bytes of content and of names in one batch, so that pausing and progress stay smooth."""


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """Small files of one directory of an entry; ``single``: the one file that is the entry."""

    entry: Entry
    relative: bytes
    path: bytes
    rows: Int64
    names: list[bytes]
    single: bool = False

    def __len__(self) -> int:
        return len(self.names)

    @property
    def weight(self) -> int:
        """Bytes of content and of path."""
        return int(self.entry.job.tree.size[self.rows].sum()) + len(self.path)

    def in_entry(self, name: bytes) -> bytes:
        """The name of one of them, relative to the entry."""
        return b"" if self.single else joined(self.relative, name)


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """One place of an entry that is compared; ``name`` is relative to the entry."""

    entry: Entry
    name: bytes
    place: Place

    def __len__(self) -> int:
        return 1

    @property
    def weight(self) -> int:
        """Bytes of path."""
        return len(self.place.path)

    @property
    def path(self) -> bytes:
        return self.place.path


def portions(entry: Entry, found: Contents, small: Int64) -> Iterator[Files]:
    """The files at the positions ``small`` of a directory, in portions of a batch's size."""
    sizes = entry.job.tree.size[found.rows[small]]
    ends = np.cumsum(sizes)
    at = 0
    while at < len(small):
        before = int(ends[at]) - int(sizes[at])
        stop = int(np.searchsorted(ends, before + _WEIGHT_AT_ONCE, side="right"))
        stop = max(at + 1, min(stop, at + _ITEMS_AT_ONCE))
        part = small[at:stop]
        if len(part) == len(found.names):
            names = found.names
        else:
            names = [found.names[index] for index in part.tolist()]
        yield Files(entry, found.relative, found.path, found.rows[part], names)
        at = stop


Given = TypeVar("Given", Files, Spot)


class Batch(ABC, Generic[Given]):
    """Work of one kind for one worker: filled until ``full``, sent as ``frame``; then the
    answer is settled into the entries."""

    kind: ClassVar[Kind]

    def __init__(self) -> None:
        self.items: list[Given] = []
        self._count = self._weight = 0

    def add(self, item: Given) -> None:
        self.items.append(item)
        self._count += len(item)
        self._weight += item.weight

    @property
    def full(self) -> bool:
        return self._count >= _ITEMS_AT_ONCE or self._weight >= _WEIGHT_AT_ONCE

    @property
    def root(self) -> Directory:
        return self.items[0].entry.job.root

    @property
    def where(self) -> bytes:
        """The absolute path of the first item, for messages."""
        return self.root.where(self.items[0].path)

    @abstractmethod
    def frame(self, number: int) -> bytes:
        """What to send, below the root that the worker knows by ``number``."""

    @abstractmethod
    def settle(self, answer: bytes | bytearray, algorithms: Sequence[Algorithm]) -> None:
        """Write what a worker found into the entries; ``ValueError`` if it makes no sense."""

    def _checked(self, answered: Answered) -> Answered:
        if len(answered.statuses) != self._count:
            raise ValueError("an answer about something else")
        return answered


class HashBatch(Batch[Files]):
    """Small files to be hashed."""

    kind = Kind.HASH

    def frame(self, number: int) -> bytes:
        groups = (
            pack_group(item.path, item.names, columns(item.entry.job.tree, item.rows))
            for item in self.items
        )
        return pack_head(self.kind, number) + b"".join(groups)

    def settle(self, answer: bytes | bytearray, algorithms: Sequence[Algorithm]) -> None:
        answered = self._checked(unpack_answer(answer, sum(width for _, width in algorithms)))
        start = 0
        for item in self.items:
            stop = start + len(item)
            if any(answered.statuses[start:stop]):
                _bad(item, answered, start)
            _good(item, answered, start, algorithms)
            item.entry.left -= len(item)
            start = stop


def _bad(item: Files, answered: Answered, start: int) -> None:
    entry = item.entry
    for at, name in enumerate(item.names, start):
        if answered.statuses[at] == Status.CHANGED:
            entry.changed.append(item.in_entry(name))
        elif answered.statuses[at] != Status.GOOD:
            entry.unreadable(joined(item.path, name), answered.codes[at])


def _good(item: Files, answered: Answered, start: int, algorithms: Sequence[Algorithm]) -> None:
    above = item.relative + b"/" if item.relative else b""
    sizes: list[int] = item.entry.job.tree.size[item.rows].tolist()
    text, files = answered.digests, item.entry.files
    for at, (name, size) in enumerate(zip(item.names, sizes, strict=True), start):
        if answered.statuses[at] == Status.GOOD:
            digit = at * answered.width
            values = {}
            for algorithm, width in algorithms:
                values[algorithm] = text[digit : digit + 2 * width]
                digit += 2 * width
            files[b"" if item.single else above + name] = FileDigest(
                size, answered.modes[at], values
            )


class CompareBatch(Batch[Spot]):
    """Places to be compared with the inventory."""

    kind = Kind.COMPARE

    def frame(self, number: int) -> bytes:
        places = (pack_place(item.place) for item in self.items)
        return pack_head(self.kind, number) + b"".join(places)

    def settle(self, answer: bytes | bytearray, algorithms: Sequence[Algorithm]) -> None:
        del algorithms
        answered = self._checked(unpack_answer(answer, 0))
        for item, status, code in zip(self.items, answered.statuses, answered.codes, strict=True):
            if status == Status.CHANGED:
                item.entry.changed.append(item.name)
            elif status != Status.GOOD:
                item.entry.unreadable(item.path, code)
            item.entry.left -= 1
