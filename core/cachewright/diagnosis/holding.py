"""Which entry a hold belongs to: by device and inode first, by path for what is newer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from cachewright.holders import merged

if TYPE_CHECKING:
    from cachewright.holders import Hold, Survey
    from cachewright.inventory.tree import Tree
    from cachewright.model import Holder

_DELETED = b" (deleted)"


class HoldsByRow:
    """Holds of one survey, found by the inventory row of an entry or staging place."""

    def __init__(self, survey: Survey, tree: Tree, root: bytes, rows: Collection[int]) -> None:
        self._tree = tree
        self._root = root.rstrip(b"/") + b"/"
        self._rows = frozenset(rows)
        placed: dict[int, list[Hold]] = defaultdict(list)
        for hold in survey.holds:
            row = self._row_of(hold)
            if row is not None:
                placed[row].append(hold)
        self._placed: Mapping[int, list[Hold]] = placed

    def of(self, row: int) -> tuple[Holder, ...]:
        """Processes that hold the row's subject or anything in it."""
        return merged(self._placed.get(row, ()))

    def _row_of(self, hold: Hold) -> int | None:
        known = self._tree.where(hold.device, hold.inode)
        if known is None:
            known = self._nearest(hold.path)
        while known is not None and known not in self._rows:
            known = self._tree.parent_of(known)
        return known

    def _nearest(self, path: bytes) -> int | None:
        """The row of the deepest directory of ``path`` that the inventory knows."""
        path = path.removesuffix(_DELETED)
        if not path.startswith(self._root):
            return None
        relative = path[len(self._root) :]
        while relative:
            row = self._tree.find(relative)
            if row is not None:
                return row
            relative = relative.rpartition(b"/")[0]
        return None
