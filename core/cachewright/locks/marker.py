"""What has an existence lock's name: read once, whatever it is, without following or waiting.

A regular file's content, a symlink's target or a directory's owner file is its record.  Anything
else is never opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from cachewright.locks import ours
from cachewright.model import Identity
from cachewright.storage.anchored import identity
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

LIMIT: Final = 64 << 10
"""Bytes that are read of a record; no lock's record comes near."""

_NAMES: Final = 64
"""Names in a lock directory; no tool's lock has as many."""

_TRIES: Final = 3
_KINDS: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Marker:
    """What lies in a lock's place.

    ``fingerprint`` covers the record, and of a directory all names in it with what they are; a
    move leaves it as it is.  ``inside`` are a lock directory's own names.  ``odd`` says why it
    is none that a tool makes, ``unreadable`` why its record is not known: sentences, or empty.
    """

    found: os.stat_result
    record: bytes = b""
    fingerprint: str = ""
    inside: tuple[tuple[bytes, os.stat_result], ...] = ()
    odd: str = ""
    unreadable: str = ""

    @property
    def identity(self) -> Identity:
        return identity(self.found)

    @property
    def files(self) -> tuple[tuple[bytes, os.stat_result], ...]:
        """Regular files that somebody may have open: itself (``b""``), or those inside."""
        every = ((b"", self.found), *self.inside)
        return tuple(one for one in every if stat.S_ISREG(one[1].st_mode))

    @property
    def places(self) -> frozenset[tuple[int, int]]:
        """Device and inode of itself and of all in it."""
        every = (self.found, *(one for _name, one in self.inside))
        return frozenset((one.st_dev, one.st_ino) for one in every)


class _ChangedMeanwhile(Exception):
    """Its name leads to something else than a moment ago."""


def read_marker(root: Directory, relative: bytes, inner: bytes = b"") -> Marker | None:
    """What lies at ``relative`` below ``root`` now; None where nothing does.

    ``inner`` is the name of the owner file in a lock directory.  What changes again and again
    while it is read is ``odd``.  Raises ``OSError`` or a ``CachewrightError`` (``Escapes``)
    where it cannot even be looked at.
    """
    seen: Marker | None = None
    for _try in range(_TRIES):
        try:
            before = root.stat(relative)
        except (FileNotFoundError, NotADirectoryError):
            return None
        seen = Marker(before)
        try:
            seen = _read(root, relative, before, inner)
            if identity(root.stat(relative)) == seen.identity:
                return seen
        except (_ChangedMeanwhile, FileNotFoundError, NotADirectoryError):
            continue
    return seen and replace(seen, odd="It was replaced or written to while it was looked at.")


def _read(root: Directory, relative: bytes, found: os.stat_result, inner: bytes) -> Marker:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFLNK:
        target = root.read_link(relative)
        return Marker(found, target, _sha256(target))
    if kind == stat.S_IFREG:
        record, unreadable = _content(root, relative, found)
        return Marker(found, record, _sha256(record), unreadable=unreadable)
    if kind == stat.S_IFDIR:
        return _directory(root, relative, found, inner)
    what = _KINDS.get(kind, "of an unknown kind")
    return Marker(found, odd=f"It is {what}, which no tool makes as a lock. It was not opened.")


def _content(root: Directory, relative: bytes, found: os.stat_result) -> tuple[bytes, str]:
    """The content of a regular file, or why it is not to be had."""
    with ours.mutex:
        if ours.held_here(found):
            return b"", "Cachewright itself holds a lock on it."
        try:
            fd = root.open_file(relative)
        except PermissionError:
            return b"", "It may not be read."
        with open(fd, "rb") as file:
            if identity(os.fstat(fd)) != identity(found):
                raise _ChangedMeanwhile
            content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        return content[:LIMIT], f"Its record is longer than {LIMIT >> 10} KiB."
    return content, ""


def _directory(root: Directory, relative: bytes, found: os.stat_result, inner: bytes) -> Marker:
    try:
        opened = root.open_directory(relative)
    except PermissionError:
        return Marker(found, unreadable="It may not be looked into.")
    with opened:
        if opened.identity != identity(found):
            raise _ChangedMeanwhile
        with os.scandir(opened.fd) as names:
            some = sorted(os.fsencode(one.name) for one in islice(names, _NAMES + 1))
        if len(some) > _NAMES:
            odd = f"It holds more than {_NAMES} names, which no tool's lock does."
            return Marker(found, odd=odd)
        inside = tuple((name, opened.stat(name)) for name in some)
        record, unreadable = b"", ""
        for name, one in inside:
            if name == inner and stat.S_ISREG(one.st_mode):
                record, unreadable = _content(opened, name, one)
    print_of_all = _fingerprint(inside, record)
    return Marker(found, record, print_of_all, inside, _strange(inside), unreadable)


def _strange(inside: tuple[tuple[bytes, os.stat_result], ...]) -> str:
    for name, one in inside:
        if not stat.S_ISREG(one.st_mode):
            return f"It holds {display(name)}, which is no plain file, as no tool's lock does."
    return ""


def _fingerprint(inside: tuple[tuple[bytes, os.stat_result], ...], record: bytes) -> str:
    whole = hashlib.sha256(hashlib.sha256(record).digest())
    for name, one in inside:
        whole.update(b"%d:%s" % (len(name), name))
        whole.update(repr(identity(one).as_json()).encode())
    return whole.hexdigest()


def _sha256(record: bytes) -> str:
    return hashlib.sha256(record).hexdigest()
