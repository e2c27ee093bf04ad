"""An open archive whose every member was found harmless."""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import struct
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from cachewright.digests import BLOCK, Cancellable, FileDigest
from cachewright.errors import CachewrightError, SourceUnusable
from cachewright.storage.anchored import Directory, identity
from cachewright.storage.archives.limits import (
    DEFAULT_LIMITS,
    ArchiveLimits,
    Clock,
    Unhurried,
    Watch,
)
from cachewright.storage.archives.members import Member, judge
from cachewright.storage.content import Hashing, write_hashed

_DAMAGE: Final = (
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    MemoryError,
    struct.error,
)
"""All that reading a damaged or harmful archive raises."""

Piece = tuple[Member, Iterator[bytes]]


class ArchiveContent(ABC):
    """``members`` are its regular files and explicit directory entries, sorted by name.

    Use as a context manager, from one thread at a time.  Damage, wherever it is met, raises
    ``SourceUnusable``; nothing that was unpacked by then may be used.
    """

    def __init__(
        self,
        fd: int,
        path: bytes,
        limits: ArchiveLimits,
        *,
        cancel: Cancellable,
        clock: Clock,
    ) -> None:
        """Take ownership of ``fd`` and judge all members; ``open`` is the way to make one."""
        self.path = path
        self._fd = fd
        self._limits = limits
        self._clock = clock
        try:
            with self._damage_told():
                self._identity = identity(os.fstat(fd))
                found = self._list(Watch(limits, cancel, clock))
                self._directories = judge(found, limits)
        except BaseException:
            self.close()
            raise
        self.members = tuple(sorted(found, key=lambda one: one.name))

    @classmethod
    def open(
        cls,
        path: bytes,
        limits: ArchiveLimits = DEFAULT_LIMITS,
        *,
        cancel: Cancellable | None = None,
        clock: Clock = time.monotonic,
    ) -> Self:
        """Open the archive at ``path`` and judge every member.

        ``SourceUnusable`` where it is missing, of another kind, damaged, or not harmless.
        """
        return cls(open_file(path), path, limits, cancel=cancel or Unhurried(), clock=clock)

    @abstractmethod
    def _list(self, watch: Watch) -> Collection[Member]:
        """All members, each harmless by itself; ``ValueError`` says why the archive is not."""

    @abstractmethod
    def _contents(self, watch: Watch) -> Iterator[Piece]:
        """Every regular file with its content, which is read to its end, or not at all, before
        the next is asked for.  ``ValueError`` and the like where it is damaged."""

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
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

    def digest(
        self, algorithms: Collection[str], cancel: Cancellable
    ) -> Mapping[bytes, FileDigest]:
        """Digest of every regular file by name, without writing anything."""
        found = {}
        for member, blocks in self._each(cancel):
            hashing = Hashing(algorithms)
            for block in blocks:
                hashing.data(block)
            found[member.name] = hashing.digest(stat.S_IFREG | member.mode)
        self._refuse_changed()
        return found

    def write_into(
        self,
        staging: Directory,
        cancel: Cancellable,
        algorithms: Collection[str] = ("sha256",),
    ) -> Mapping[bytes, FileDigest]:
        """Unpack below ``staging`` (empty, private), hashing the very bytes that are written.

        Files get the archive's permission bits, never set-ID nor writable for everybody, and
        the time of now; directories that are only implied get 0755.  Owners, attributes and
        access lists are not taken from an archive.  Durability is the caller's.
        """
        self._make_directories(staging)
        digests = {}
        for member, blocks in self._each(cancel):
            parent, name = staging.parent_of(member.name)
            with parent:
                fd = parent.create_file(name, member.mode)
            try:
                digests[member.name] = write_hashed(fd, blocks, algorithms)
            finally:
                os.close(fd)
        self._set_modes(staging)
        self._refuse_changed()
        return digests

    def read(self, name: bytes, limit: int, cancel: Cancellable) -> bytes:
        """A regular file's content; ``SourceUnusable`` where there is none, or it is larger."""
        for member, blocks in self._each(cancel):
            if member.name == name:
                if member.size > limit:
                    raise self._unusable(f"a member is larger than {limit} bytes")
                content = b"".join(blocks)
                self._refuse_changed()
                return content
        raise self._unusable("a member is missing")

    def whole_digest(self, cancel: Cancellable) -> str:
        """SHA-256 of the archive file itself, in hex (what Terraform writes as ``zh:``)."""
        whole = hashlib.sha256()
        at = 0
        while block := os.pread(self._fd, BLOCK, at):
            cancel.check()
            whole.update(block)
            at += len(block)
        return whole.hexdigest()

    def _each(self, cancel: Cancellable) -> Iterator[Piece]:
        contents = self._contents(Watch(self._limits, cancel, self._clock))
        while True:
            with self._damage_told():
                piece = next(contents, None)
            if piece is None:
                return
            yield piece[0], self._checked(*piece)

    def _checked(self, member: Member, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Never more than the member says, and not less at the end."""
        left = member.size
        while True:
            with self._damage_told():
                block = next(blocks, None)
            if block is None:
                break
            left -= len(block)
            if left < 0:
                raise self._unusable("a member is longer than it says")
            yield block
        if left:
            raise self._unusable("a member is shorter than it says")

    def _make_directories(self, staging: Directory) -> None:
        for relative in sorted(self._directories):
            parent, name = staging.parent_of(relative)
            with parent:
                parent.make_directory(name).close()

    def _set_modes(self, staging: Directory) -> None:
        """The deepest first: a read-only parent comes last."""
        for relative, mode in sorted(self._directories.items(), reverse=True):
            with staging.open_directory(relative) as made:
                os.fchmod(made.fd, mode)

    def _refuse_changed(self) -> None:
        """What was judged and what was read are one thing only if nobody wrote to it."""
        if identity(os.fstat(self._fd)) != self._identity:
            raise self._unusable("it was written to while it was read")

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            said = isinstance(error, ValueError)
            reason = str(error) if said else f"it is damaged or cannot be read ({error})"
            raise self._unusable(reason) from error

    def _unusable(self, reason: str) -> SourceUnusable:
        return SourceUnusable(source=self.path, entry="an entry", reason=reason)


def open_file(path: bytes) -> int:
    """A descriptor of the regular file that an archive is; ``SourceUnusable`` where it is none."""
    try:
        head, name = os.path.split(os.path.realpath(path))
        with Directory.open(head) as parent:
            return parent.open_file(name)
    except (CachewrightError, OSError, ValueError) as error:
        raise SourceUnusable(source=path, entry="an entry", reason=str(error)) from error


def read_at(fd: int, length: int, at: int) -> bytes:
    """Exactly so many bytes from there; ``ValueError`` where the archive ends before."""
    if at < 0:
        raise ValueError("it speaks of a place before its start")
    content = os.pread(fd, length, at)
    while len(content) < length and (
        more := os.pread(fd, length - len(content), at + len(content))
    ):
        content += more
    if len(content) != length:
        raise ValueError("it is cut off")
    return content
