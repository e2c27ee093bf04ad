"""Tar archives, plain or packed with gzip, bzip2 or xz."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Self

from cachewright.digests import Cancellable
from cachewright.storage.archives.content import ArchiveContent, Piece, open_file
from cachewright.storage.archives.limits import (
    DEFAULT_LIMITS,
    ArchiveLimits,
    Clock,
    Unhurried,
    Watch,
)
from cachewright.storage.archives.members import Member
from cachewright.storage.archives.packing import open_stream
from cachewright.storage.archives.tar_list import read_members


class TarContent(ArchiveContent):
    """An open tar archive whose every member was found harmless; see ``ArchiveContent``.

    It is read twice: once through for the judgement, once more for the contents, which are then
    found by where they were in the first pass, not by what a header says by then.
    """

    @classmethod
    def open(
        cls,
        path: bytes,
        limits: ArchiveLimits = DEFAULT_LIMITS,
        *,
        cancel: Cancellable | None = None,
        clock: Clock = time.monotonic,
    ) -> Self:
        """Open the archive at ``path`` and read it through, judging every member.

        ``SourceUnusable`` where it is missing, no tar, damaged, or not harmless.
        """
        return cls(open_file(path), path, limits, cancel=cancel or Unhurried(), clock=clock)

    def _list(self, watch: Watch) -> Collection[Member]:
        stream = open_stream(self._fd, self._limits, watch)
        self._placed = read_members(stream, self._limits, watch)
        return [one for one, _ in self._placed]

    def _contents(self, watch: Watch) -> Iterator[Piece]:
        stream = open_stream(self._fd, self._limits, watch)
        for one, offset in self._placed:
            if not one.directory:
                stream.skip(offset - stream.at)
                yield one, stream.pieces(one.size)
