"""Take a lock away from its name so that the name is never free to two (DESIGN 7, Unlock).

The lock is *exchanged* with a stand-in, and only then looked at: what came out is what was judged,
or it gets its name back at once, by the same exchange.  A lock that was taken anew in between is
so never missed by anybody.  While it is with us its owner may release it, which removes what
stands in its place: then it is not put back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError, Changed
from cachewright.repair.operations import PutBack, Unfinished
from cachewright.repair.quarantine import ITEM, SPARE, STAGE
from cachewright.repair.stand_in import Place, place_of
from cachewright.storage.removal import remove_tree
from cachewright.storage.swap import ExchangeUnsupported, exchange, rename_noreplace
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_TRIES: Final = 100
"""Each takes another one who took and released the lock within microseconds."""


@dataclass(slots=True)
class Taking:
    """One lock at ``parent/name``.  ``private`` is our own directory on the same file system;
    ``fit`` raises unless what lies at the given place there is what was judged, used by nobody.
    ``path`` is what errors speak of."""

    parent: Directory
    name: bytes
    private: Directory
    path: bytes
    fit: Callable[[Directory, bytes], None]

    def by_exchange(self, stand_in: Place) -> None:
        """Exchange it with the stand-in (at ``STAGE``), which then goes too; the lock is kept at
        ``ITEM``.  When this raises, whatever had the name has it again (``Unfinished`` where
        that failed) and nothing of ours is left.  ``ExchangeUnsupported`` before anything."""
        with _pinned(self.private, STAGE):
            self._exchange(stand_in)

    def _exchange(self, stand_in: Place) -> None:
        try:
            exchange(self.private, STAGE, self.parent, self.name)
            self.fit(self.private, STAGE)
        except BaseException as error:
            if place_of(self.private, STAGE) != stand_in:
                self._give_back(stand_in)
            remove_tree(self.private, STAGE)
            if isinstance(error, ExchangeUnsupported):
                raise
            raise _plain(error, self.path) from error
        try:
            self._free_the_name(stand_in)
        except OSError as error:
            self._give_back(stand_in)
            remove_tree(self.private, STAGE)
            raise PutBack(str(error)) from error
        try:
            rename_noreplace(self.private, STAGE, self.private, ITEM)
        except OSError as error:
            self._move_back(STAGE)
            raise PutBack(str(error)) from error

    def by_rename(self) -> None:
        """Where names cannot be exchanged: move it to ``ITEM``, look at it, and put it back if
        it is another one, never over anything."""
        try:
            # The target is in a private directory, so nothing can be replaced there.
            os.rename(self.name, ITEM, src_dir_fd=self.parent.fd, dst_dir_fd=self.private.fd)
            self.fit(self.private, ITEM)
        except BaseException as error:
            if self.private.exists(ITEM):
                self._move_back(ITEM)
            raise _plain(error, self.path) from error

    def undo(self) -> None:
        """Put the taken lock back at its name; ``Unfinished`` where that is taken by now."""
        self._move_back(ITEM)

    def _give_back(self, stand_in: Place) -> None:
        """Exchange until what comes out is what was put in before; it is left at ``STAGE``.

        Anything else that comes out was taken by another since, because what had been put in
        was released: that one gets the name next.  Where the name is free, its owner released
        what we hold.  So what is left with us at the end is nobody's.
        """
        put_in = stand_in
        with ExitStack() as pins:
            for _try in range(_TRIES):
                held = pins.enter_context(_pinned(self.private, STAGE))
                try:
                    exchange(self.private, STAGE, self.parent, self.name)
                except FileNotFoundError:
                    return
                except OSError as error:
                    raise self._lost(STAGE, str(error.strerror)) from error
                if place_of(self.private, STAGE) == put_in:
                    return
                put_in = held
        raise self._lost(STAGE, "others took it again and again")

    def _free_the_name(self, stand_in: Place) -> None:
        """Take the stand-in away, if its name still leads to it: else somebody released the old
        lock meanwhile, and what is there now is none of ours.  ``OSError``: it is still there.
        """
        try:
            if place_of(self.parent, self.name) != stand_in:
                return
            rename_noreplace(self.parent, self.name, self.private, SPARE)
        except FileNotFoundError:
            return
        if place_of(self.private, SPARE) != stand_in:
            self._move_back(SPARE)
            return
        with suppress(OSError, CachewrightError):  # nobody misses it, wherever it lies
            remove_tree(self.private, SPARE)

    def _move_back(self, kept: bytes) -> None:
        try:
            rename_noreplace(self.private, kept, self.parent, self.name)
        except OSError as error:
            raise self._lost(kept, str(error.strerror)) from error

    def _lost(self, kept: bytes, why: str) -> Unfinished:
        return Unfinished(
            path=self.path,
            reason=f"it could not be put back ({why})",
            state=f"It is kept in {display(self.private.where(kept))}.",
        )


@contextmanager
def _pinned(directory: Directory, name: bytes) -> Iterator[Place]:
    """Which thing lies there.  For the block it stays the only one with its number, wherever it
    lies and also when it is deleted: file systems give a freed number to the next file."""
    if not hasattr(os, "O_PATH"):
        yield place_of(directory, name)  # nor can names be exchanged there
        return
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory.fd)
    try:
        found = os.fstat(fd)
        yield (found.st_dev, found.st_ino)
    finally:
        os.close(fd)


def _plain(error: BaseException, path: bytes) -> BaseException:
    """Why it was not taken, now that it has its name again."""
    if isinstance(error, FileNotFoundError):
        return Changed(path=path, what="it is gone")
    return PutBack(str(error)) if isinstance(error, OSError) else error
