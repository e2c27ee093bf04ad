"""Make a tree durable, and read it back: what is compared is what the disk gives, by descriptor."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping

from cachewright.digests import Cancellable, FileDigest
from cachewright.errors import Changed
from cachewright.model import Identity
from cachewright.storage.anchored import Directory, identity
from cachewright.storage.content import Reader
from cachewright.storage.swap import sync_directory
from cachewright.storage.walking import Cursor, names_in, walk


def hash_tree(
    top: Directory, cancel: Cancellable, algorithms: Collection[str] = ("sha256",)
) -> Mapping[bytes, FileDigest]:
    """Digest of every regular file below ``top``, by relative name, read from descriptors.

    Anything that is neither file nor directory raises ``NotARegularFile``, a file written to
    meanwhile ``Changed``, too many holes ``TooLarge``.  Several names of one file are one read.
    """
    digests: dict[bytes, FileDigest] = {}
    known: dict[Identity, FileDigest] = {}
    reader = Reader(algorithms, cancel)

    def enter(cursor: Cursor) -> list[bytes]:
        here, names = cursor.here, names_in(cursor.here)
        for name in names.others:
            cancel.check()
            relative = cursor.relative + b"/" + name if cursor.relative else name
            digests[relative] = _hash_file(here, name, reader, known)
        return names.directories

    walk(top, enter)
    return digests


def _hash_file(
    here: Directory, name: bytes, reader: Reader, known: dict[Identity, FileDigest]
) -> FileDigest:
    fd = here.open_file(name)
    try:
        found = os.fstat(fd)
        before = identity(found)
        if before in known:
            return known[before]
        digest = reader.hash(fd, here.where(name))
        if identity(os.fstat(fd)) != before:
            raise Changed(path=here.where(name), what="it was written to while it was read")
    finally:
        os.close(fd)
    if found.st_nlink > 1:
        known[before] = digest
    return digest


def sync_tree(top: Directory) -> None:
    """Make a tree durable: every file, then every directory, each after all that is in it.

    ``OSError`` is final: the same file must not be tried again, since the kernel may by then
    call the lost pages clean (reliability.md B3).  The tree has to be made anew.
    """
    synced: set[tuple[int, int]] = set()

    def enter(cursor: Cursor) -> list[bytes]:
        names = names_in(cursor.here)
        for name in names.others:
            found = cursor.here.stat(name)
            if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in synced:
                _sync_file(cursor.here, name)
                if found.st_nlink > 1:
                    synced.add((found.st_dev, found.st_ino))
        return names.directories

    walk(top, enter, leave=lambda cursor: sync_directory(cursor.here))


def _sync_file(here: Directory, name: bytes) -> None:
    fd = here.open_file(name)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
