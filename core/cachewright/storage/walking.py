"""Walk a tree by descriptors, one step at a time: no recursion, no path, however deep it is.

Only one directory is open at a time (two while stepping), and no list of directories is kept
but the names that are still to be gone into, so that depth costs neither descriptors nor
memory; a way back up is proven to lead to where one came from (reliability.md T1).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cachewright.errors import Changed, Escapes
from cachewright.storage.anchored import Directory
from cachewright.storage.beneath import SAFE_FLAGS


@dataclass(frozen=True, slots=True)
class Names:
    """What a directory holds, each list sorted bytewise."""

    directories: list[bytes]
    others: list[bytes]


def names_in(here: Directory) -> Names:
    """All names of ``here``; one that is gone before it was looked at is left out."""
    names = Names([], [])
    for name in here.names():
        try:
            found = here.stat(name)
        except FileNotFoundError:
            continue
        (names.directories if stat.S_ISDIR(found.st_mode) else names.others).append(name)
    return names


class Cursor:
    """A place in the tree below ``top`` that moves a step at a time, on one file system.

    ``here`` is the directory it is at, closed as soon as it moves on; ``relative`` its name
    below ``top``.  Use as a context manager; ``top`` itself stays open.
    """

    __slots__ = ("_trail", "here", "relative")

    def __init__(self, top: Directory) -> None:
        self.here = Directory(os.dup(top.fd), top.path)
        self.relative = b""
        self._trail: list[tuple[int, int]] = []

    def down(self, name: bytes) -> Directory:
        """Go into a directory.  ``Escapes`` where something is mounted there, or where it is a
        link by now; ``NotADirectoryError`` where it is something else."""
        below = self.here.open_directory(name, one_mount=True)
        if below.identity.device != self.here.identity.device:
            # A subvolume: the kernel calls it no mount, but nothing can be renamed out of it.
            below.close()
            raise Escapes(path=self.here.where(name), root=self.here.path)
        self._trail.append(_place(self.here))
        self.relative = self.relative + b"/" + name if self.relative else name
        return self._at(below)

    def up(self) -> Directory:
        """Go back; ``Changed`` where the directory was moved elsewhere meanwhile."""
        fd = os.open(b"..", os.O_RDONLY | os.O_DIRECTORY | SAFE_FLAGS, dir_fd=self.here.fd)
        above = Directory(fd, os.path.dirname(self.here.path))
        if _place(above) != self._trail.pop():
            above.close()
            raise Changed(path=self.here.path, what="it was moved while it was looked through")
        self.relative = self.relative.rpartition(b"/")[0]
        return self._at(above)

    def _at(self, reached: Directory) -> Directory:
        self.here.close()
        self.here = reached
        return reached

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.here.close()


def _place(directory: Directory) -> tuple[int, int]:
    return (directory.identity.device, directory.identity.inode)


def _nothing(_at: Cursor) -> None:
    """Nothing is to be done there."""


def walk(
    top: Directory,
    enter: Callable[[Cursor], list[bytes]],
    leave: Callable[[Cursor], None] = _nothing,
    above: Callable[[Cursor, bytes], None] | None = None,
) -> None:
    """Go through ``top`` and every directory below.

    ``enter`` is called first in each, and returns the names to go into (bytewise order is kept
    where they are sorted); ``leave`` when all below is done; ``above``, in the directory above,
    with the name of the one that was just left.
    """
    with Cursor(top) as cursor:
        todo = [(b"", iter(enter(cursor)))]
        while todo:
            name, waiting = todo[-1]
            below = next(waiting, None)
            if below is not None:
                cursor.down(below)
                todo.append((below, iter(enter(cursor))))
                continue
            leave(cursor)
            todo.pop()
            if todo:
                cursor.up()
                if above is not None:
                    above(cursor, name)
