"""Who has what open around one cache, looked at afresh whenever something is decided."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from cachewright import holders
from cachewright.diagnosis.holding import HoldsByRow

if TYPE_CHECKING:
    from cachewright.holders import KernelLock, Survey
    from cachewright.inventory.tree import Tree
    from cachewright.model import Holder
    from cachewright.storage.anchored import Directory
    from cachewright.workbench.content import Content


class Surroundings:
    """The latest survey, the kernel's locks as it saw them, and what it says of one entry."""

    def __init__(self, root: Directory, tree: Tree, contents: Sequence[Content]) -> None:
        self._root = root
        self._tree = tree
        self._linked = [content for content in contents if content.linked]
        self._rows: Collection[int] = {content.entry.row for content in contents}
        self.survey: Survey
        self.kernel: Sequence[KernelLock]
        self._holds: HoldsByRow
        self.look()

    def look(self) -> Survey:
        """Ask every process again."""
        prefixes = [self._root.path, *(content.root.path for content in self._linked)]
        devices = {self._root.identity.device}
        devices |= {content.root.identity.device for content in self._linked}
        self.survey, self.kernel = holders.look_around(prefixes, frozenset(devices))
        self._holds = HoldsByRow(self.survey, self._tree, self._root.path, self._rows)
        return self.survey

    @property
    def uninspected(self) -> int:
        """How many processes could not be asked."""
        return self.survey.uninspected

    def of(self, content: Content) -> tuple[Holder, ...]:
        """Processes that hold the entry or anything in it."""
        if not content.linked or content.tree is None:
            return self._holds.of(content.entry.row)
        tree = content.tree
        return self.survey.of(
            lambda device, inode: tree.where(device, inode) is not None, content.root.path
        )
