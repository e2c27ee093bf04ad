"""What an entry consists of, as the inventory has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cachewright.hashing.wire import UNLISTED, Place, Signature
from cachewright.inventory.wire import TYPE_BITS, TYPE_DIRECTORY, TYPE_FILE

if TYPE_CHECKING:
    from cachewright.inventory.columns import Int64
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory


@dataclass(frozen=True, slots=True)
class EntryFiles:
    """An entry to be read: row ``row`` of ``tree``, which lies at ``base`` below ``root``.

    ``key`` is the caller's own; ``root`` is pinned and stays open until everything was read.
    """

    key: int
    root: Directory
    base: bytes
    tree: Tree
    row: int


@dataclass(frozen=True, slots=True)
class Contents:
    """One directory's regular files, by row and name, and the names of what is strange.

    ``relative`` is the directory's name relative to the entry, ``path`` to the root.
    """

    relative: bytes
    path: bytes
    rows: Int64
    names: list[bytes]
    strange: list[bytes]


def joined(above: bytes, name: bytes) -> bytes:
    return above + b"/" + name if above and name else above or name


def signature(tree: Tree, row: int) -> Signature:
    return (
        int(tree.device[row]),
        int(tree.inode[row]),
        int(tree.size[row]),
        int(tree.mtime_ns[row]),
        int(tree.ctime_ns[row]),
    )


def columns(tree: Tree, rows: Int64) -> list[bytes]:
    """The signatures of some rows as five columns of 64-bit numbers."""
    chosen = (tree.device, tree.inode, tree.size, tree.mtime_ns, tree.ctime_ns)
    return [column[rows].tobytes() for column in chosen]


def contents(job: EntryFiles) -> Iterator[Contents]:
    """Everything in an entry that is a directory, directory by directory."""
    tree = job.tree
    for row, relative in _directories(job):
        children = tree.children(row)
        if not children:
            continue
        kinds = tree.mode[children.start : children.stop] & TYPE_BITS
        plain = np.flatnonzero(kinds == TYPE_FILE)
        odd = np.flatnonzero((kinds != TYPE_FILE) & (kinds != TYPE_DIRECTORY))
        names = tree.names(children)
        chosen = names if len(plain) == len(names) else [names[at] for at in plain.tolist()]
        strange = [joined(relative, names[at]) for at in odd.tolist()]
        path = joined(job.base, relative)
        yield Contents(relative, path, plain + children.start, chosen, strange)


def to_compare(job: EntryFiles) -> Iterator[tuple[bytes, Place]]:
    """What has to be as it was once all files were read: every directory that could be listed,
    so that no file came, went or was exchanged meanwhile; or the one file that is the entry."""
    tree = job.tree
    if not tree.is_directory(job.row):
        yield b"", Place(job.base, signature(tree, job.row), UNLISTED)
        return
    skipped = frozenset(tree.gap_rows.tolist())
    for row, relative in _directories(job):
        if row not in skipped:
            path, names = joined(job.base, relative), int(tree.count[row])
            yield relative, Place(path, signature(tree, row), names)


def _directories(job: EntryFiles) -> Iterator[tuple[int, bytes]]:
    """Rows of the entry's directories and their names relative to it."""
    tree = job.tree
    pending = [(job.row, b"")]
    while pending:
        row, relative = pending.pop()
        yield row, relative
        children = tree.children(row)
        kinds = tree.mode[children.start : children.stop] & TYPE_BITS
        for index in np.flatnonzero(kinds == TYPE_DIRECTORY).tolist():
            child = children.start + index
            pending.append((child, joined(relative, tree.name(child))))
