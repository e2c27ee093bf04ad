"""Which worker already has which pinned directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachewright.hashing.wire import Kind, pack_head

if TYPE_CHECKING:
    from cachewright.hashing.batches import CompareBatch, HashBatch
    from cachewright.storage.anchored import Directory
    from cachewright.workers.process import Worker


class Roots:
    """Numbers for directories that entries in the making use, and who was told of them.

    Linked entries each have a root of their own, so workers are told to let go of those that
    nobody needs any more.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._uses: dict[int, int] = {}
        self._told: dict[int, list[Worker[HashBatch | CompareBatch]]] = {}
        self._next = 0

    def use(self, root: Directory) -> None:
        """One more entry lies below ``root``."""
        key = id(root)
        if key not in self._numbers:
            self._numbers[key], self._uses[key], self._told[key] = self._next, 0, []
            self._next += 1
        self._uses[key] += 1

    def number(self, root: Directory, worker: Worker[HashBatch | CompareBatch]) -> int:
        """What ``worker`` knows the root by; it is told now if it does not know it yet."""
        key = id(root)
        number = self._numbers[key]
        if worker not in self._told[key]:
            worker.send(pack_head(Kind.ROOT, number), (root.fd,))
            self._told[key].append(worker)
        return number

    def release(self, root: Directory) -> None:
        """One entry less."""
        key = id(root)
        self._uses[key] -= 1
        if self._uses[key]:
            return
        number = self._numbers.pop(key)
        del self._uses[key]
        for worker in self._told.pop(key):
            worker.send(pack_head(Kind.FORGET, number))
