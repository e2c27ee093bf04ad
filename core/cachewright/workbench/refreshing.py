"""Where locks are looked for: as new as the directories that they come and go in."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError
from cachewright.formats.base import References
from cachewright.inventory.assembly import still_there
from cachewright.inventory.renewing import Containers, renewed
from cachewright.model import LockKind

if TYPE_CHECKING:
    from cachewright.formats.base import Format, Knowledge, LockPlace
    from cachewright.holders.survey import Place
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory
    from cachewright.workbench.watching import Options


class Refreshing:
    """An inventory of its own, which starts as a scan's and follows what changes since.

    A look costs one ``stat`` for each container and one reading for each that changed; records
    are read again only where names did.  The scan's inventory stays as it is.
    """

    def __init__(self, root: Directory, form: Format, options: Options) -> None:
        self._root = root
        self._format = form
        self._environment = options.environment
        self._begun: Tree | None = None
        self._given: Knowledge | None = None
        self._looked_ns = 0
        self._tree: Tree
        self._containers: Containers
        self.knowledge: Knowledge

    def since(self, tree: Tree, knowledge: Knowledge, began_ns: int) -> None:
        """Start anew from a scan that began then, unless that is where it started."""
        if tree is not self._begun or knowledge is not self._given:
            self._begun, self._given, self._looked_ns = tree, knowledge, began_ns
            self._adopt(tree)
            self.knowledge = knowledge

    def _adopt(self, tree: Tree) -> None:
        self._tree, self._containers = tree, Containers(self._root, tree)

    def look(self) -> Tree:
        """The inventory as it is now; ``knowledge`` is of it.  ``RootVanished`` where the root
        went away."""
        still_there(self._root)
        began_ns = time.time_ns()
        rows = self._containers.changed(self._looked_ns)
        if rows:
            tree, differs = renewed(self._root, self._tree, rows, self._format.rules)
            if tree is not self._tree:
                self._adopt(tree)
            if differs:
                # Where locks lie is told by the cache itself, not by projects or good copies.
                known = References(environment=self._environment)
                self.knowledge = self._format.read(self._root, tree, known)
        self._looked_ns = began_ns
        return self._tree


def places_of(root: Directory, locks: Iterable[LockPlace]) -> frozenset[Place]:
    """Device and inode of whatever lies at these places now, and in a lock that is a directory."""
    found: set[Place] = set()
    for lock in locks:
        with suppress(OSError, CachewrightError):  # nothing there, or not to be looked at
            now = root.stat(lock.relative)
            found.add((now.st_dev, now.st_ino))
            if lock.kind is LockKind.EXISTENCE and stat.S_ISDIR(now.st_mode):
                inside = (
                    root.stat(b"%s/%s" % (lock.relative, name))
                    for name in root.names(lock.relative)
                )
                found.update((one.st_dev, one.st_ino) for one in inside)
    return frozenset(found)
