"""The order of siblings; where there are very many, worked out off the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QTimer

from cachewright_gui.inventory_view import Inventory
from cachewright_gui.jobs import Jobs

Rows = NDArray[np.int64]

_GATHER_MS: Final = 80
_MANY: Final = 1_500
"""From so many siblings on, sorting them could be felt."""


@dataclass(frozen=True, slots=True)
class Order:
    """A column of the inventory and its direction."""

    column: str = "name"
    descending: bool = False


class Orders:
    """Orders of directories under the chosen sort.  Without ``jobs`` all is worked out at once;
    with it, a very full directory is first given as it was read and ``ready`` is called later."""

    def __init__(self, jobs: Jobs | None = None) -> None:
        self.ready: Callable[[], None] = lambda: None
        self._jobs = jobs
        self._lane = jobs.lane("orders") if jobs is not None else None
        self._due = False
        self._order = Order()
        self._inventory: Inventory | None = None
        self._known: dict[int, Rows] = {}
        self._asked: set[int] = set()

    def of(self, inventory: Inventory | None) -> None:
        """Work over this inventory from now on."""
        self._inventory = inventory
        self._known.clear()
        self._asked.clear()

    def by(self, order: Order) -> None:
        if order != self._order:
            self._order = order
            self._known.clear()
            self._asked.clear()

    @property
    def by_totals(self) -> bool:
        """Whether the order changes while a scan adds to what directories hold."""
        return self._order.column != "name"

    @property
    def follows_totals(self) -> bool:
        """Whether directories change places when what lies below them becomes known."""
        return self._order.column in {"size", "files"}

    def children(self, row: int) -> Rows:
        """A directory's children in order, or as they were read until that is known."""
        if self._inventory is None:
            return np.empty(0, np.int64)
        known = self._known.get(row)
        if known is not None:
            return known
        tree = self._inventory.tree
        children = tree.children(row)
        if self._jobs is None or len(children) < _MANY:
            return np.asarray(
                tree.sorted_children(row, self._order.column, self._order.descending), np.int64
            )
        self._ask(row, self._jobs)
        return np.arange(children.start, children.stop, dtype=np.int64)

    def _ask(self, row: int, jobs: Jobs) -> None:
        inventory, order = self._inventory, self._order
        if row in self._asked or inventory is None:
            return
        self._asked.add(row)

        def done(rows: Rows) -> None:
            if self._inventory is inventory and self._order == order:
                self._known[row] = rows
                self._tell(jobs)

        jobs.run(
            lambda: np.asarray(
                inventory.tree.sorted_children(row, order.column, order.descending), np.int64
            ),
            done,
            lane=self._lane,
        )

    def _tell(self, jobs: Jobs) -> None:
        """Call ``ready`` once for all orders that come in about now."""
        if self._due:
            return
        self._due = True

        def told() -> None:
            self._due = False
            self.ready()

        QTimer.singleShot(_GATHER_MS, jobs, told)
