"""Any tree of files that lists of checksums, sidecars or BagIt manifests vouch for."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from cachewright.digests import FileDigest
from cachewright.errors import CachewrightError
from cachewright.formats.base import Format, Knowledge, References, Role, Rule, Type
from cachewright.formats.checksums_bags import is_declaration
from cachewright.formats.checksums_knowledge import ChecksumsKnowledge
from cachewright.formats.checksums_lists import parse
from cachewright.formats.checksums_places import (
    BAG,
    BAG_INFO,
    FETCH,
    LISTS,
    joined,
    kind_of,
    resolved,
)
from cachewright.model import ANY_DEPTH, QUARANTINE_NAME, Location

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

NOT_ENTERED: Final = re.compile(rb"\.git|\.hg|\.svn|\.bzr|" + re.escape(QUARANTINE_NAME), re.DOTALL)
"""Directories that belong to something else altogether, and are none of a list's business."""

_ANYTHING: Final = re.compile(rb".+", re.DOTALL)
_BAG_FILES: Final = re.compile(
    b"|".join([*map(re.escape, (BAG, BAG_INFO, FETCH)), rb"(?:tag)?manifest-[A-Za-z0-9_-]+\.txt"])
)
_DIRECTORY: Final = frozenset({Type.DIRECTORY})
_FILE: Final = frozenset({Type.FILE})

_NAMES_READ: Final = 4096
_FOLDERS_READ: Final = 48
_LISTS_READ: Final = 8
_HEAD: Final = 64 << 10
_LINES_READ: Final = 64


class Checksums(Format):
    """Every file is an entry; its digest is in a list in the same tree, or nowhere."""

    name: ClassVar[str] = "checksums"
    title: ClassVar[str] = "Files with checksums"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(ANY_DEPTH, NOT_ENTERED, _DIRECTORY, Role.METADATA),
        Rule(ANY_DEPTH, _ANYTHING, _DIRECTORY, Role.CONTAINER),
        Rule(ANY_DEPTH, LISTS, _FILE, Role.METADATA),
        Rule(ANY_DEPTH, _BAG_FILES, _FILE, Role.METADATA),
        Rule(ANY_DEPTH, _ANYTHING, _FILE, Role.ENTRY),
        # Where a list takes a link for a file it is told of; others are nobody's business.
        Rule(ANY_DEPTH, _ANYTHING, frozenset({Type.LINK}), Role.METADATA),
    )
    algorithms: ClassVar[frozenset[str]] = frozenset({"sha256"})
    general: ClassVar[bool] = True

    def recognise(self, root: Directory) -> bool:
        return is_listed(root)

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        del environment  # there is no one place where such trees lie
        return ()

    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        return ChecksumsKnowledge(root, tree, references)

    def whole(self, files: Mapping[bytes, FileDigest]) -> Mapping[str, str]:
        return dict(files[b""].values) if set(files) == {b""} else {}


def is_listed(root: Directory) -> bool:
    """Whether a bag, or lists that fit what lies beside them, are at the top or right below it.

    Sidecars alone must be more than a few among other files, and none of this makes a working
    copy of a source tree a place of checksums, unless a list is at its very top.
    """
    top, folders = names_inside(root, b"")
    if BAG in top:
        return _declares(root, BAG)
    if _fits(root, b"", top):
        return True
    if any(NOT_ENTERED.fullmatch(one) for one in folders):
        return False
    for folder in sorted(folders)[:_FOLDERS_READ]:
        names, _folders = names_inside(root, folder)
        if (BAG in names and _declares(root, joined(folder, BAG))) or _fits(root, folder, names):
            return True
    return False


def names_inside(root: Directory, relative: bytes) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Some names of files and of directories in a directory."""
    files: set[bytes] = set()
    folders: set[bytes] = set()
    try:
        with root.open_directory(relative) as opened, os.scandir(opened.fd) as found:
            for one in itertools.islice(found, _NAMES_READ):
                if one.is_file(follow_symlinks=False):
                    files.add(os.fsencode(one.name))
                elif one.is_dir(follow_symlinks=False):
                    folders.add(os.fsencode(one.name))
    except (OSError, CachewrightError):
        pass
    return frozenset(files), frozenset(folders)


def _head(root: Directory, relative: bytes) -> bytes:
    try:
        with open(root.open_file(relative), "rb") as file:
            return file.read(_HEAD)
    except (OSError, CachewrightError):
        return b""


def _declares(root: Directory, relative: bytes) -> bool:
    return is_declaration(_head(root, relative))


def _fits(root: Directory, folder: bytes, names: frozenset[bytes]) -> bool:
    known = {name: kind for name in names if (kind := kind_of(name))}
    sidecars = [name for name, kind in known.items() if kind.stem in names]
    lists = [name for name in known if name not in sidecars]
    for name in sorted(lists)[:_LISTS_READ]:
        lines = parse(_head(root, joined(folder, name)), known[name].algorithm).lines
        if _one_is_there(root, folder, [line.name for line in lines[:_LINES_READ]]):
            return True
    others = len(names) - len(known) - len(sidecars)
    believed = [
        name
        for name in sorted(sidecars)[:_LISTS_READ]
        if parse(_head(root, joined(folder, name)), known[name].algorithm).lines
    ]
    return bool(believed) and len(sidecars) * 4 >= others


def _one_is_there(root: Directory, folder: bytes, names: list[bytes]) -> bool:
    """Whether at least one of the named files is there, in a list that names any."""
    for name in names:
        path, why = resolved(folder, name)
        try:
            if not why and root.exists(path):
                return True
        except (OSError, CachewrightError):
            continue
    return False
