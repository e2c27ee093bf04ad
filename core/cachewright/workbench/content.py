"""Where an entry's bytes are: below the cache's root, or where a symlinked entry leads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.inventory.tree import scan_subtree
from cachewright.model import EntryReport, EntryVerdict
from cachewright.storage.anchored import Directory
from cachewright.verify import EntryFiles

if TYPE_CHECKING:
    from cachewright.formats.base import Entry, Knowledge
    from cachewright.inventory.tree import Tree


@dataclass(frozen=True, slots=True)
class Content:
    """An entry with the pinned directory and the inventory that its files are read by.

    ``tree`` is None where a link leads nowhere: there is nothing to read.
    """

    entry: Entry
    path: bytes
    root: Directory
    base: bytes
    tree: Tree | None
    row: int
    linked: bool

    def files(self, key: int) -> EntryFiles | None:
        """What the verify engine wants; None where there is nothing to read."""
        if self.tree is None:
            return None
        return EntryFiles(key, self.root, self.base, self.tree, self.row)

    def look_again(self) -> Tree:
        """The entry's files as they are now."""
        return scan_subtree(self.root, self.base)

    def signature(self) -> str:
        """Every name, size and time of the entry as the inventory has it."""
        return "" if self.tree is None else self.tree.signature(self.row)

    def newest_ns(self) -> int:
        return 0 if self.tree is None else self.tree.newest_ns(self.row)

    def close(self) -> None:
        if self.linked:
            self.root.close()


def open_contents(root: Directory, tree: Tree, entries: Iterable[Entry]) -> list[Content]:
    """Every entry's content; targets of links are pinned once and closed by the caller."""
    return [
        _plain(root, tree, entry) if entry.link_target is None else _linked(root, entry)
        for entry in entries
    ]


def _plain(root: Directory, tree: Tree, entry: Entry) -> Content:
    path = root.path + b"/" + entry.relative
    return Content(entry, path, root, entry.relative, tree, entry.row, linked=False)


def _linked(root: Directory, entry: Entry) -> Content:
    path = root.path + b"/" + entry.relative
    try:
        target = Directory.open(entry.link_target or b"")
    except CachewrightError:
        return Content(entry, path, root, entry.relative, None, entry.row, linked=False)
    try:
        return Content(entry, path, target, b"", scan_subtree(target, b""), 0, linked=True)
    except BaseException:
        target.close()
        raise


def unchecked_report(content: Content, knowledge: Knowledge) -> EntryReport:
    """What is known of an entry before its bytes were read."""
    entry, tree = content.entry, content.tree
    return EntryReport(
        name=entry.name,
        title=entry.title,
        subtitle=entry.subtitle,
        path=content.path,
        row=entry.row,
        size=0 if tree is None else int(tree.total_bytes[content.row]),
        files=0 if tree is None else int(tree.total_files[content.row]),
        changed_ns=content.newest_ns(),
        verdict=EntryVerdict.UNCHECKED,
        why="Not verified yet.",
        expected=knowledge.expected(entry).whole,
        users=knowledge.users(entry),
        link_target=entry.link_target,
    )
