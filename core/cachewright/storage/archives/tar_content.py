"""Tar archives, plain or packed with gzip, bzip2 or xz."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cachewright.storage.archives.content import ArchiveContent, Piece
from cachewright.storage.archives.limits import (
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
