"""Entries while they are being verified, and what is known of them in the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cachewright.digests import FileDigest
from cachewright.hashing.listing import EntryFiles
from cachewright.model import Gap


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
    """An entry in the making: ``left`` files or places are being worked on; all have been given
    out once ``exhausted``; ``comparing`` is the second and last round."""

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
            tuple(dict.fromkeys(self.changed)),
            (*known_gaps, *self.gaps),
        )

    def unreadable(self, path: bytes, code: int | None) -> None:
        reason = os.strerror(code) if code else "an unknown error"
        self.gaps.append(Gap(self.job.root.where(path), f"it cannot be read: {reason}"))
