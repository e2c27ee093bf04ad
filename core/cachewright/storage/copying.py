"""Copy a tree into a private place while hashing the very bytes that are written.

Only regular files and directories are copied, each reached by descriptor; whoever changes or
swaps the source meanwhile changes what is hashed too, never what is believed
(reliability.md B3, T6).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from cachewright.digests import Cancellable, FileDigest
from cachewright.errors import Changed, NotARegularFile, Refused
from cachewright.model import Identity
from cachewright.storage.anchored import Directory, identity
from cachewright.storage.content import Reader
from cachewright.storage.metadata import copy_metadata
from cachewright.storage.walking import Cursor, names_in, walk

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS})
"""What a file system without hard links answers, or one where a file has too many."""


def copy_file(
    source: Directory,
    staging: Directory,
    name: bytes,
    cancel: Cancellable,
    algorithms: Collection[str],
    *,
    special_modes: bool = False,
) -> FileDigest:
    """One regular file of ``source``, under the same name in ``staging``; as ``copy_tree``."""
    return _copy_file(source, staging, name, Reader(algorithms, cancel), special_modes)[1]


def _copy_file(
    source: Directory, staging: Directory, name: bytes, reader: Reader, special_modes: bool
) -> tuple[os.stat_result, FileDigest]:
    """Also how the file was found."""
    path = source.where(name)
    try:
        from_fd = source.open_file(name)
    except FileNotFoundError:
        raise Changed(path=path, what="it is gone") from None
    try:
        before = os.fstat(from_fd)
        to_fd = staging.create_file(name, 0o600)
        try:
            hashing = reader.copy(from_fd, to_fd, path)
            copy_metadata(from_fd, to_fd, before, special=special_modes)
            digest = hashing.digest(os.fstat(to_fd).st_mode)
        finally:
            os.close(to_fd)
        if identity(os.fstat(from_fd)) != identity(before):
            raise Changed(path=path, what="it was written to while it was read")
    finally:
        os.close(from_fd)
    return before, digest


def copy_tree(
    source: Directory,
    staging: Directory,
    cancel: Cancellable,
    algorithms: Collection[str] = ("sha256",),
    *,
    special_modes: bool = False,
) -> Mapping[bytes, FileDigest]:
    """Copy everything below ``source`` into ``staging`` (empty, private).

    Returns the digest of every file by relative name.  What else is kept of files and
    directories says ``metadata``; ``special_modes`` keeps set-ID and sticky bits too.  The mode
    of ``staging`` itself, and owners, are the caller's.  Names of one file inside the tree are
    one file in the copy too; a copy shares nothing with the source, whoever else may.  Holes
    stay holes (see ``content``).

    A link, device, FIFO or socket raises ``NotARegularFile``; something mounted in it,
    ``Escapes``; anything that changed meanwhile, ``Changed``; too many holes, ``TooLarge``; a
    source that the staging lies in, ``Refused``.  Either way ``staging`` holds a part and is the
    caller's to remove.  Nothing is made durable: see ``sync_tree``.
    """
    with Cursor(staging) as there:
        copying = _Copying(staging, there, Reader(algorithms, cancel), special_modes)
        walk(source, copying.enter, copying.leave)
    return copying.digests


@dataclass(slots=True)
class _Original:
    """A file with several names: as it was when it was copied, where to, and how many of its
    names have not been met yet."""

    identity: Identity
    relative: bytes
    digest: FileDigest
    left: int


class _Copying:
    """One copy under way; ``there`` goes where the walk through the source goes."""

    def __init__(
        self, staging: Directory, there: Cursor, reader: Reader, special_modes: bool
    ) -> None:
        self.digests: dict[bytes, FileDigest] = {}
        self._staging = staging
        self._there = there
        self._reader = reader
        self._special = special_modes
        self._entered: list[os.stat_result] = []
        self._originals: dict[tuple[int, int], _Original] = {}

    def enter(self, cursor: Cursor) -> list[bytes]:
        self._reader.cancel.check()
        here = cursor.here
        if _same_place(here.identity, self._staging.identity):
            raise Refused(path=here.path, reason="the copy of it would lie in itself")
        if cursor.relative:
            name = os.path.basename(cursor.relative)
            self._there.here.make_directory(name).close()
            self._there.down(name)
        self._entered.append(os.fstat(here.fd))
        names = names_in(here)
        for name in names.others:
            relative = cursor.relative + b"/" + name if cursor.relative else name
            self.digests[relative] = self._file(here, name, relative)
        return names.directories

    def leave(self, cursor: Cursor) -> None:
        before = self._entered.pop()
        if identity(os.fstat(cursor.here.fd)) != identity(before):
            raise Changed(path=cursor.here.path, what="something in it, while it was read")
        there = self._there.here
        mode = stat.S_IMODE(os.fstat(there.fd).st_mode)
        copy_metadata(cursor.here.fd, there.fd, before, special=self._special)
        if cursor.relative:
            self._there.up()
        else:
            os.fchmod(there.fd, mode)

    def _file(self, here: Directory, name: bytes, relative: bytes) -> FileDigest:
        self._reader.cancel.check()
        found = here.stat(name)
        if not stat.S_ISREG(found.st_mode):
            raise NotARegularFile(path=here.where(name))
        original = self._originals.get((found.st_dev, found.st_ino))
        if original is not None and self._linked(original, here, name, found):
            return original.digest
        there = self._there.here
        before, digest = _copy_file(here, there, name, self._reader, self._special)
        if before.st_nlink > 1:
            one = _Original(identity(before), relative, digest, before.st_nlink - 1)
            self._originals[before.st_dev, before.st_ino] = one
        return digest

    def _linked(
        self, original: _Original, here: Directory, name: bytes, found: os.stat_result
    ) -> bool:
        """Give the copy another name; False where the target has no such links."""
        if identity(found) != original.identity:
            raise Changed(path=here.where(name), what="it was written to while it was read")
        parent, first = self._staging.parent_of(original.relative)
        with parent:
            try:
                os.link(
                    first,
                    name,
                    src_dir_fd=parent.fd,
                    dst_dir_fd=self._there.here.fd,
                    follow_symlinks=False,
                )
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return False
        original.left -= 1
        if not original.left:
            del self._originals[found.st_dev, found.st_ino]
        return True


def _same_place(one: Identity, other: Identity) -> bool:
    return (one.device, one.inode) == (other.device, other.inode)
