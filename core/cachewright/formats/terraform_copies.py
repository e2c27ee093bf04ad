"""Archives and directories that may hold good copies of an entry, hashed once per run."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.digests import BLOCK, FileDigest, h1, hash_file
from cachewright.errors import CachewrightError, SourceUnusable
from cachewright.inventory.tree import scan_subtree
from cachewright.storage.anchored import Directory
from cachewright.storage.archives.zip_content import ZipContent
from cachewright.storage.copying import copy_tree

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import CancelToken

_SHA256: Final = ("sha256",)
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_KEPT_AT_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What an intact archive holds.

    ``unpacked`` is the h1 of what unpacking gives.  ``zipped`` is the h1 that terraform
    computes of the archive itself: it differs where the archive has ``directories`` listed as
    members of their own, since each counts as an empty file there (terraform.md 2.2).
    ``zh`` is the SHA-256 of the archive file.
    """

    path: bytes
    files: Mapping[bytes, FileDigest]
    directories: tuple[bytes, ...]
    zh: str
    unpacked: str
    zipped: str


class Archives:
    """Facts of archives by identity, so that each is read once; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[int, ...], ArchiveFacts] = {}

    def facts(self, path: bytes, cancel: CancelToken) -> ArchiveFacts:
        """Raises ``SourceUnusable`` for what is damaged, harmful or no archive."""
        try:
            key = _identity(os.stat(path))
        except (OSError, ValueError) as error:
            raise SourceUnusable(source=path, entry="an entry", reason=str(error)) from error
        with self._lock:
            known = self._known.get(key)
        if known is not None and known.path == path:
            return known
        facts = _read_archive(path, cancel)
        if _identity(os.stat(path)) != key:
            raise SourceUnusable(source=path, entry="an entry", reason="it changed while read")
        with self._lock:
            while len(self._known) >= _KEPT_AT_MOST:
                del self._known[next(iter(self._known))]
            self._known[key] = facts
        return facts


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read_archive(path: bytes, cancel: CancelToken) -> ArchiveFacts:
    with ZipContent.open(path) as content:
        files = content.digest(_SHA256, cancel)
        directories = tuple(one.name + b"/" for one in content.members if one.directory)
        zh = content.whole_digest(cancel)
    nothing = {name: FileDigest(0, stat.S_IFDIR, {"sha256": _EMPTY}) for name in directories}
    try:
        return ArchiveFacts(path, files, directories, zh, h1(files), h1({**files, **nothing}))
    except ValueError as error:
        raise SourceUnusable(source=path, entry="an entry", reason=str(error)) from error


@dataclass(frozen=True, slots=True)
class ArchiveCopy:
    """A packed zip as a good copy (a ``GoodCopy``)."""

    facts: ArchiveFacts
    proof: str

    @property
    def path(self) -> bytes:
        return self.facts.path

    @property
    def h1(self) -> str:
        return self.facts.unpacked

    def files(self) -> Mapping[bytes, FileDigest]:
        return self.facts.files

    def write_into(self, staging: Directory, cancel: CancelToken) -> Mapping[bytes, FileDigest]:
        with ZipContent.open(self.facts.path) as content:
            return content.write_into(staging, cancel, _SHA256)


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """What a directory of plain files and directories held when it was read."""

    path: bytes
    files: Mapping[bytes, FileDigest]
    h1: str


@dataclass(frozen=True, slots=True)
class DirectoryCopy:
    """An unpacked provider as a good copy (a ``GoodCopy``)."""

    facts: DirectoryFacts
    proof: str

    @property
    def path(self) -> bytes:
        return self.facts.path

    @property
    def h1(self) -> str:
        return self.facts.h1

    def files(self) -> Mapping[bytes, FileDigest]:
        return self.facts.files

    def write_into(self, staging: Directory, cancel: CancelToken) -> Mapping[bytes, FileDigest]:
        with Directory.open(self.facts.path) as source:
            return copy_tree(source, staging, cancel, _SHA256)


def read_directory(path: bytes, cancel: CancelToken) -> DirectoryFacts:
    """Hash a whole directory; ``SourceUnusable`` where it holds anything but files and
    directories, or cannot be read."""
    try:
        with Directory.open(path) as directory:
            tree = scan_subtree(directory, b"")
            if tree.errors:
                raise _unusable(path, tree.errors[0].reason)
            files = _hash_all(directory, tree, cancel)
        return DirectoryFacts(path, files, h1(files))
    except SourceUnusable:
        raise
    except (CachewrightError, OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: bytes, reason: str) -> SourceUnusable:
    return SourceUnusable(source=path, entry="an entry", reason=reason)


def _hash_all(directory: Directory, tree: Tree, cancel: CancelToken) -> Mapping[bytes, FileDigest]:
    files: dict[bytes, FileDigest] = {}
    buffer = bytearray(BLOCK)
    for row in tree.subtree(0):
        mode = int(tree.mode[row])
        if stat.S_ISDIR(mode):
            continue
        name = tree.path(row)
        # Links, pipes and the like are refused here.
        fd = directory.open_file(name)
        try:
            size, values = hash_file(fd, _SHA256, cancel, buffer)
        finally:
            os.close(fd)
        files[name] = FileDigest(size, mode, values)
    return files
