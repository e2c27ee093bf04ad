"""Entries while they are being verified, and what is known of them in the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cachewright.digests import FileDigest
from cachewright.hashing.listing import EntryFiles
from cachewright.hashing.wire import Kind, Known
from cachewright.model import Gap

_ITEMS_AT_ONCE: Final = 512
_WEIGHT_AT_ONCE: Final = 16 << 20
"""Bytes of content and of names in one batch, so that pausing and progress stay smooth."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading one entry gave; names are relative to the entry, ``b""`` is itself.

    ``files``: regular files that were the same before, while and after they were hashed.
    ``strange``: links, FIFOs, sockets and devices, never opened.  ``changed``: files that were
    not as in the inventory before or after hashing, or vanished, and directories in which
    something came or went.  ``unreadable``: what could not be read, now or by the scan.
    """

    key: int
    files: Mapping[bytes, FileDigest]
    strange: tuple[bytes, ...]
    changed: tuple[bytes, ...]
    unreadable: tuple[Gap, ...]


@dataclass(slots=True, eq=False)
class Entry:
    """An entry in the making: ``left`` items are being worked on; all have been given out once
    ``exhausted``; ``comparing`` is the second and last round."""

    job: EntryFiles
    files: dict[bytes, FileDigest] = field(default_factory=dict)
    strange: list[bytes] = field(default_factory=list)
    changed: list[bytes] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    left: int = 0
    exhausted: bool = False
    comparing: bool = False

    def verified(self) -> Verified:
        known_gaps = self.job.tree.gaps_in(self.job.row)
        return Verified(
            self.job.key,
            self.files,
            tuple(self.strange),
            tuple(self.changed),
            (*known_gaps, *self.gaps),
        )

    def unreadable(self, known: Known, code: int | None) -> None:
        reason = os.strerror(code) if code else "an unknown error"
        self.gaps.append(Gap(self.job.root.where(known.path), f"it cannot be read: {reason}"))


@dataclass(frozen=True, slots=True)
class Item:
    """One file to hash or one place to compare; ``name`` is relative to the entry."""

    entry: Entry
    name: bytes
    known: Known


@dataclass(slots=True, eq=False)
class Batch:
    """Items of one root and one kind, to be sent to a worker together."""

    kind: Kind
    items: list[Item] = field(default_factory=list)
    weight: int = 0

    def fits(self, item: Item) -> bool:
        return not self.items or self.items[0].entry.job.root is item.entry.job.root

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.weight += len(item.known.path)
        if self.kind is Kind.HASH:
            self.weight += item.known.size

    @property
    def full(self) -> bool:
        return len(self.items) >= _ITEMS_AT_ONCE or self.weight >= _WEIGHT_AT_ONCE
