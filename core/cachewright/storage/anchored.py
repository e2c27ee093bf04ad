"""A pinned directory: everything below it is reached by descriptor, never by path again.

The path is resolved once, when the directory is opened.  Afterwards a name leads to what lies
below the pinned directory or to an error; a symlink is never followed, wherever it was put and
whenever it was swapped in (reliability.md rule 8, T1, T2).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from cachewright.errors import (
    Escapes,
    NotARegularFile,
    RootMissing,
    RootNotADirectory,
    RootUnreadable,
    TooLarge,
)
from cachewright.model import Identity
from cachewright.storage.beneath import LOOK, SAFE_FLAGS, open_beneath


def identity(found: os.stat_result) -> Identity:
    """The identity of what was looked at, to be compared again when acting."""
    return Identity(
        device=found.st_dev,
        inode=found.st_ino,
        mode=found.st_mode,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
    )


class Directory:
    """A directory held open.

    ``path`` is for display and messages only.  Every ``relative`` name is bytes with ``/``
    between components, relative to this directory; ``b""`` is the directory itself.  Absolute
    names and ``..`` raise ``Escapes``, and so does a symlink on the way.  Other failures are
    the kernel's own ``OSError`` (``FileNotFoundError`` ...).  Names below may be longer than
    the kernel takes in one path.  Safe to use from several threads until closed.
    """

    __slots__ = ("fd", "identity", "path", "sync_error")

    def __init__(self, fd: int, path: bytes) -> None:
        """Take ownership of ``fd``, an open directory; ``path`` is what to call it."""
        self.fd = fd
        self.path = path
        self.identity = identity(os.fstat(fd))
        self.sync_error = 0
        """The errno with which its names could not be made durable: see ``sync_directory``."""

    @classmethod
    def open(cls, path: bytes) -> Directory:
        """Resolve ``path`` (the only time that links are followed) and pin what it leads to.

        Raises ``RootMissing``, ``RootNotADirectory`` or ``RootUnreadable``.
        """
        try:
            resolved = os.path.realpath(path)
            fd = os.open(resolved, os.O_RDONLY | os.O_DIRECTORY | SAFE_FLAGS)
        except FileNotFoundError:
            raise RootMissing(path=path) from None
        except NotADirectoryError:
            raise RootNotADirectory(path=path) from None
        except OSError as error:
            raise RootUnreadable(path=path, reason=error.strerror) from error
        except ValueError as error:
            raise RootUnreadable(path=path, reason=str(error)) from error
        return cls(fd, resolved)

    def close(self) -> None:
        """Let go of the descriptor; closing twice is harmless."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Directory(fd={self.fd}, path={self.path!r})"

    def where(self, relative: bytes) -> bytes:
        """The absolute path of ``relative``, for messages and records only."""
        return os.path.join(self.path, relative) if relative else self.path

    def _components(self, relative: bytes) -> list[bytes]:
        components = [one for one in relative.split(b"/") if one not in {b"", b"."}]
        if relative.startswith(b"/") or b".." in components or b"\0" in relative:
            raise Escapes(path=relative, root=self.path)
        return components

    def _open(self, relative: bytes, flags: int, one_mount: bool = False) -> int:
        components = self._components(relative) or [b"."]
        try:
            return open_beneath(self.fd, components, flags, one_mount)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.EXDEV}:
                raise Escapes(path=self.where(relative), root=self.path) from error
            raise

    def open_file(self, relative: bytes, flags: int = os.O_RDONLY) -> int:
        """A descriptor of a regular file that exists; anything else is ``NotARegularFile``.

        What is no regular file is not even opened, so no device or FIFO notices.
        """
        if not stat.S_ISREG(self.stat(relative).st_mode):
            raise NotARegularFile(path=self.where(relative))
        fd = self._open(relative, flags & ~os.O_CREAT)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        raise NotARegularFile(path=self.where(relative))

    def open_directory(self, relative: bytes, *, one_mount: bool = False) -> Directory:
        """Pin a directory below this one; ``NotADirectoryError`` where it is none.  With
        ``one_mount`` something mounted on the way, or there, is ``Escapes`` too."""
        fd = self._open(relative, os.O_RDONLY | os.O_DIRECTORY, one_mount)
        return Directory(fd, self.where(relative))

    def parent_of(self, relative: bytes) -> tuple[Directory, bytes]:
        """The pinned directory that holds ``relative`` (the caller closes it) and the last
        component.  ``Escapes`` for ``b""``: this directory's own parent lies outside."""
        components = self._components(relative)
        if not components:
            raise Escapes(path=self.path, root=self.path)
        return self.open_directory(b"/".join(components[:-1])), components[-1]

    def stat(self, relative: bytes) -> os.stat_result:
        """What lies there, without following a symlink or opening it."""
        components = self._components(relative)
        if not components:
            return os.fstat(self.fd)
        if len(components) == 1:
            return os.stat(components[0], dir_fd=self.fd, follow_symlinks=False)
        fd = self._open(b"/".join(components[:-1]), LOOK | os.O_DIRECTORY)
        try:
            return os.stat(components[-1], dir_fd=fd, follow_symlinks=False)
        finally:
            os.close(fd)

    def identity_of(self, relative: bytes) -> Identity:
        return identity(self.stat(relative))

    def exists(self, relative: bytes) -> bool:
        """Whether something has this name, a dangling symlink included."""
        try:
            self.stat(relative)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def read(self, relative: bytes, limit: int) -> bytes:
        """A whole regular file of at most ``limit`` bytes; ``TooLarge`` beyond."""
        with open(self.open_file(relative), "rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise TooLarge(path=self.where(relative), limit=f"{limit} bytes")
        return content

    def read_link(self, relative: bytes) -> bytes:
        """Where a symlink points, as written; ``OSError`` where it is none."""
        parent, name = self.parent_of(relative)
        with parent:
            return os.readlink(name, dir_fd=parent.fd)

    def names(self, relative: bytes = b"") -> list[bytes]:
        """Names in a directory, sorted bytewise, without ``.`` and ``..``."""
        # A descriptor of its own: the read position of ``self.fd`` belongs to every thread.
        with self.open_directory(relative) as opened:
            return sorted(os.fsencode(name) for name in os.listdir(opened.fd))

    def create_file(self, name: bytes, mode: int) -> int:
        """A descriptor for writing a new file directly in this directory; what has the name
        already, a symlink included, raises ``FileExistsError``.  The mode is not masked.
        When it raises, nothing of ours is left there."""
        self._single(name)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE_FLAGS
        fd = os.open(name, flags, 0o600, dir_fd=self.fd)
        try:
            os.fchmod(fd, mode)
        except BaseException:
            self._unmake(name, fd, os.unlink)
            os.close(fd)
            raise
        return fd

    def make_directory(self, name: bytes, mode: int = 0o700) -> Directory:
        """Make and pin a directory directly in this one; ``FileExistsError`` if taken.  When it
        raises, nothing of ours is left there."""
        self._single(name)
        os.mkdir(name, 0o700, dir_fd=self.fd)
        try:
            made = self.open_directory(name)
        except BaseException:
            with suppress(OSError):
                os.rmdir(name, dir_fd=self.fd)
            raise
        try:
            os.fchmod(made.fd, mode)
        except BaseException:
            self._unmake(name, made.fd, os.rmdir)
            made.close()
            raise
        return made

    def _unmake(self, name: bytes, made: int, remove: Callable[..., None]) -> None:
        """Remove what was just made, while it still has its name: it was of no use."""
        with suppress(OSError):
            if os.path.samestat(self.stat(name), os.fstat(made)):
                remove(name, dir_fd=self.fd)

    def _single(self, name: bytes) -> None:
        if b"/" in name or self._components(name) != [name]:
            raise Escapes(path=name, root=self.path)
