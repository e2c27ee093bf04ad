"""Scan a cache in worker processes: fast, stoppable, and never stuck with a hung file system."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Final

from cachewright.errors import WorkerFailed
from cachewright.inventory.assembly import Assembly, compiled, still_there
from cachewright.inventory.tree import Tree
from cachewright.inventory.wire import Settings, pack_requests, pack_settings
from cachewright.model import CancelToken, Progress, ProgressSink, Role, Rule
from cachewright.storage.anchored import Directory
from cachewright.workers.process import Crew, Ended, Worker

_MODULE: Final = "cachewright.inventory.worker"
_ROWS: Final = 8192
_FEW_ROWS: Final = 512
_SECONDS: Final = 0.1
_DIRECTORIES: Final = 64
"""A worker answers after about so many rows or seconds; so many directories are asked for at
once, and so many requests wait in its pipe, so that it never waits for us."""
_AHEAD: Final = 2
_TICK_S: Final = 0.05
_TELL_EVERY_S: Final = 0.1


def scan(
    root: Directory,
    rules: tuple[Rule, ...],
    *,
    progress: ProgressSink,
    cancel: CancelToken,
    workers: int = 2,
    on_rows: Callable[[Tree], None] | None = None,
) -> Tree:
    """Everything below ``root``, each row with the role that ``rules`` give it.

    Links are not followed and mounted file systems not entered (a ``Gap`` names them); what
    vanishes meanwhile is left out; what cannot be read is a ``Gap``.  ``progress`` (stage
    ``scan``, ``done`` rows) and ``on_rows`` (the tree so far) are called at most ten times a
    second, and at the end.  Raises ``Cancelled``, ``RootVanished``, or ``WorkerFailed`` when a
    worker process ends by itself; no process outlives the call.
    """
    return _Scan(root, rules, progress, cancel, on_rows).run(max(1, workers))


class _Scan:
    def __init__(
        self,
        root: Directory,
        rules: Sequence[Rule],
        progress: ProgressSink,
        cancel: CancelToken,
        on_rows: Callable[[Tree], None] | None,
    ) -> None:
        self._root = root
        self._rules = compiled(rules)
        self._progress = progress
        self._cancel = cancel
        self._on_rows = on_rows
        self._assembly = Assembly(root, os.fstat(root.fd), Role.CONTAINER)
        self._told_at = 0.0

    def run(self, workers: int) -> Tree:
        settings = pack_settings(Settings(self._assembly.device, _SECONDS, self._rules))
        crew: Crew[list[int]] = Crew()
        with crew:
            for _ in range(workers):
                crew.start(_MODULE).send(settings, (self._root.fd,))
            while self._ask(crew.workers):
                self._cancel.check()
                for worker, answer in crew.answers(_TICK_S):
                    self._take(worker, answer)
                self._tell()
        still_there(self._root)
        self._cancel.check()
        self._told_at = 0.0
        return self._tell() or self._tree()

    def _ask(self, workers: Sequence[Worker[list[int]]]) -> bool:
        """Keep every worker busy; whether anything is still being read."""
        for ahead in range(1, _AHEAD + 1):
            for worker in workers:
                waiting = self._assembly.waiting
                if waiting and len(worker.sent) < ahead:
                    # Leave some for the others; what comes back soon can be shared out.
                    share = min(_DIRECTORIES, 1 + waiting // (len(workers) * _AHEAD))
                    rows, requests = self._assembly.next(share)
                    worker.sent.append(rows)
                    few = waiting < len(workers) * _AHEAD
                    worker.send(pack_requests(requests, _FEW_ROWS if few else _ROWS))
        return any(worker.sent for worker in workers)

    def _take(self, worker: Worker[list[int]], answer: bytearray | Ended) -> None:
        rows = worker.sent[0] if worker.sent else [0]
        reading = self._assembly.path(rows[0])
        if isinstance(answer, Ended):
            still_there(self._root)
            raise WorkerFailed(path=reading, reason=answer)
        worker.sent.popleft()
        try:
            self._assembly.take(answer, rows)
        except ValueError as error:
            raise WorkerFailed(path=reading, reason=error) from error

    def _tell(self) -> Tree | None:
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_S:
            return None
        self._told_at = now
        self._progress(Progress("scan", len(self._assembly)))
        if self._on_rows is None:
            return None
        tree = self._tree()
        self._on_rows(tree)
        return tree

    def _tree(self) -> Tree:
        assembly = self._assembly
        return Tree(assembly.columns(), tuple(assembly.gaps), assembly.gap_rows)
