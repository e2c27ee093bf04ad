"""Who refers to an archive: links beside pointers, by wheel and by environment (3.2, 3.7)."""

from __future__ import annotations

import bisect
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError, TooLarge
from cachewright.formats import uv_pointers
from cachewright.formats.uv_layout import ARCHIVE, POINTING, WHEELS
from cachewright.formats.uv_pointers import Pointer, PointerDamaged
from cachewright.model import Role

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

TOO_LARGE: Final = "it is far larger than uv writes it"
_TEXT_LINK_LIMIT: Final = 256
_REVISIONS: Final = frozenset({b"revision.http", b"revision.rev"})
_SUFFIXES: Final = (b".http", b".rev")
_KNOWN_SUFFIXES: Final = (*_SUFFIXES, b".msgpack", b".rkyv")
_ENVIRONMENT: Final = re.compile(rb"environments-v[0-9]+/")


@dataclass(frozen=True, slots=True)
class Damage:
    """A record below the root that cannot be used, and why.  ``read``: whether that is known
    from what it holds; else nothing is known of it."""

    relative: bytes
    reason: str
    read: bool = True


def unread(relative: bytes, error: Exception) -> Damage:
    """For a record that ``error`` kept from being read."""
    return Damage(relative, getattr(error, "strerror", None) or str(error), read=False)


@dataclass(slots=True)
class Reference:
    """One wheel or environment that was cached: ``stem`` is the path of its link, which its
    pointer shares but for the suffix.

    ``link`` is the archive that the link names, ``outside`` what it names where that is none
    of this cache; ``pointers`` are the pointers that could be read, by their path.
    """

    stem: bytes
    link: bytes | None = None
    outside: bytes | None = None
    pointers: dict[bytes, Pointer] = field(default_factory=dict)

    @property
    def package(self) -> bytes:
        """The package's name as the index spells it, or as the wheel does; ``b""`` where the
        place does not tell."""
        folder, name = os.path.split(self.stem)
        if WHEELS.fullmatch(folder):
            return os.path.basename(folder)
        return name.partition(b"-")[0] if b"-" in name else b""

    @property
    def version(self) -> bytes:
        name = os.path.basename(self.stem)
        parts = name.split(b"-")
        if self.in_wheels:
            return parts[0]
        return parts[1] if len(parts) > 1 else b""

    @property
    def in_wheels(self) -> bool:
        return WHEELS.fullmatch(self.stem) is not None

    @property
    def is_environment(self) -> bool:
        return _ENVIRONMENT.match(self.stem) is not None

    @property
    def archives(self) -> frozenset[bytes]:
        """Every archive that it names in any way."""
        named = {pointer.archive for pointer in self.pointers.values()}
        return frozenset(named | ({self.link} if self.link else set()))


class _Reading:
    """Reads links and pointers, one place after another, into ``stems`` and ``damaged``."""

    def __init__(self, root: Directory) -> None:
        self._root = root
        self.stems: dict[bytes, Reference] = {}
        self.damaged: list[Damage] = []

    def _at(self, stem: bytes) -> Reference:
        return self.stems.setdefault(stem, Reference(stem))

    def read(self, relative: bytes, mode: int) -> None:
        """A place that vanished meanwhile says nothing, and nothing is wrong with that."""
        try:
            if stat.S_ISLNK(mode):
                self._link(relative, self._root.read_link(relative))
            else:
                self._file(relative)
        except FileNotFoundError:
            return
        except TooLarge:
            self.damaged.append(Damage(relative, TOO_LARGE))
        except PointerDamaged as error:
            self.damaged.append(Damage(relative, str(error)))
        except (CachewrightError, OSError) as error:
            self.damaged.append(unread(relative, error))

    def _link(self, relative: bytes, target: bytes) -> None:
        """Relative to the link now; old releases wrote it absolute."""
        inside = self._root.path.rstrip(b"/") + b"/"
        if target.startswith(inside):
            named = os.path.normpath(target[len(inside) :])
        else:
            named = os.path.normpath(os.path.join(os.path.dirname(relative), target))
        self._take(relative, named, target)

    def _take(self, stem: bytes, named: bytes, target: bytes) -> None:
        reference = self._at(stem)
        if ARCHIVE.fullmatch(named):
            reference.link = named
        else:
            reference.outside = target

    def _file(self, relative: bytes) -> None:
        folder, name = os.path.split(relative)
        if name in _REVISIONS:
            content = self._root.read(relative, uv_pointers.LIMIT)
            uv_pointers.check_revision(content, http=name.endswith(b".http"))
        elif name.endswith(_SUFFIXES) and WHEELS.fullmatch(folder):
            content = self._root.read(relative, uv_pointers.LIMIT)
            stem, suffix = os.path.splitext(relative)
            read = uv_pointers.of_http if suffix == b".http" else uv_pointers.of_rev
            self._at(stem).pointers[relative] = read(content)
        elif not name.endswith((b".msgpack", *_SUFFIXES)):
            named = self._root.read(relative, _TEXT_LINK_LIMIT).strip()
            if not ARCHIVE.fullmatch(named):
                raise PointerDamaged("it names no archive")
            self._take(relative, named, named)


class References:
    """All of a cache's links and pointers, read once; ``damaged`` are those that say nothing."""

    def __init__(self, root: Directory, tree: Tree) -> None:
        self._root = root
        reading = _Reading(root)
        for relative, mode in _places(tree):
            reading.read(relative, mode)
        self.damaged: Sequence[Damage] = reading.damaged
        self._stems = reading.stems
        self.all: Sequence[Reference] = tuple(self._stems[stem] for stem in sorted(self._stems))
        self._by_archive: Mapping[bytes, list[Reference]] = defaultdict(list)
        for reference in self.all:
            for archive in reference.archives:
                self._by_archive[archive].append(reference)

    def of(self, archive: bytes) -> Sequence[Reference]:
        """Whatever refers to the archive at this path below the root."""
        return self._by_archive.get(archive, ())

    def named_at(self, relative: bytes) -> Reference:
        """The reference that a record belongs to, by its place; a new one where there is none.
        A source's revision belongs to whatever was built from it."""
        stem, suffix = os.path.splitext(relative)
        at = stem if suffix in _KNOWN_SUFFIXES else relative
        folder, name = os.path.split(relative)
        if name in _REVISIONS:
            inside = bisect.bisect_left(self.all, folder + b"/", key=lambda one: one.stem)
            built = self.all[inside : inside + 1]
            return next((one for one in built if one.stem.startswith(folder + b"/")), Reference(at))
        return self._stems.get(at) or Reference(at)

    def pointers(self, archive: bytes) -> Iterator[tuple[bytes, Pointer]]:
        """The pointers that name it, with their paths."""
        for reference in self.of(archive):
            for relative, pointer in sorted(reference.pointers.items()):
                if pointer.archive == archive:
                    yield relative, pointer

    def still(self, one: Reference) -> bool:
        """Whether link and pointers say now what they said when they were read: uv writes them
        one after the other, and whoever looks in between sees two that disagree."""
        reading = _Reading(self._root)
        for relative in (one.stem, *(one.stem + suffix for suffix in _SUFFIXES)):
            try:
                mode = self._root.stat(relative).st_mode
            except (CachewrightError, OSError):
                continue
            reading.read(relative, mode)
        return reading.stems.get(one.stem) == one


def _places(tree: Tree) -> Iterator[tuple[bytes, int]]:
    """Path and mode of every link and record in the buckets that point."""
    for row in tree.rows_with_role(Role.METADATA).tolist():
        relative = tree.path(row)
        is_record = not tree.is_directory(row) and os.path.basename(relative)[:1] != b"."
        if is_record and POINTING.fullmatch(os.path.dirname(relative)):
            yield relative, int(tree.mode[row])
