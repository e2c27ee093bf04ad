"""What an entry consists of, as the inventory has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachewright.hashing.wire import UNLISTED, Known
from cachewright.inventory.wire import TYPE_BITS, TYPE_DIRECTORY

if TYPE_CHECKING:
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


def joined(above: bytes, name: bytes) -> bytes:
    return above + b"/" + name if above and name else above or name


def known(job: EntryFiles, row: int, relative: bytes) -> Known:
    """The signature of one row; ``relative`` to the entry."""
    tree = job.tree
    directory = tree.is_directory(row)
    return Known(
        joined(job.base, relative),
        int(tree.device[row]),
        int(tree.inode[row]),
        int(tree.size[row]),
        int(tree.mtime_ns[row]),
        int(tree.ctime_ns[row]),
        int(tree.count[row]) if directory else UNLISTED,
    )


def contents(job: EntryFiles) -> Iterator[tuple[bytes, int, Known]]:
    """Name (relative to the entry), mode and signature of everything that is no directory."""
    tree = job.tree
    if not tree.is_directory(job.row):
        yield b"", int(tree.mode[job.row]), known(job, job.row, b"")
        return
    for row, relative in _directories(job):
        children = tree.children(row)
        part = slice(children.start, children.stop)
        full = joined(job.base, relative)
        columns = (tree.device, tree.inode, tree.size, tree.mtime_ns, tree.ctime_ns)
        facts = zip(*(column[part].tolist() for column in columns), strict=True)
        modes = tree.mode[part].tolist()
        for name, mode, fact in zip(tree.names(children), modes, facts, strict=True):
            if mode & TYPE_BITS != TYPE_DIRECTORY:
                yield joined(relative, name), mode, Known(joined(full, name), *fact)


def to_compare(job: EntryFiles) -> Iterator[tuple[bytes, Known]]:
    """What has to be as it was once all files were read: every directory that could be listed,
    so that no file came, went or was exchanged meanwhile; or the one file that is the entry."""
    if not job.tree.is_directory(job.row):
        yield b"", known(job, job.row, b"")
        return
    skipped = frozenset(job.tree.gap_rows.tolist())
    for row, relative in _directories(job):
        if row not in skipped:
            yield relative, known(job, row, relative)


def _directories(job: EntryFiles) -> Iterator[tuple[int, bytes]]:
    """Rows of the entry's directories and their names relative to it."""
    tree = job.tree
    pending = [(job.row, b"")]
    while pending:
        row, relative = pending.pop()
        yield row, relative
        children = tree.children(row)
        modes = tree.mode[children.start : children.stop]
        for index in (modes & TYPE_BITS == TYPE_DIRECTORY).nonzero()[0].tolist():
            child = children.start + index
            pending.append((child, joined(relative, tree.name(child))))
