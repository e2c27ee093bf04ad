"""Work off the window's thread, and the one way its results come back.

A call becomes a ``Future``; its end, and everything a worker posts on its way, is queued and
drained on the window's thread under a time budget.  A failure always reaches either the caller's
handler or ``Jobs.failed``: it is never lost.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

T = TypeVar("T")

BUDGET_S: Final = 0.008
"""How long one drain may take before painting and input get their turn."""


class Lane:
    """One thread that runs calls in order: everything that checks or changes one cache.

    The thread is a daemon, so that a file system that hangs cannot keep the program from
    ending; ``Jobs.close`` waits for it, bounded.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future

    def close(self) -> None:
        """Take no more calls; the thread ends after those it has."""
        self._calls.put(None)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, seconds: float) -> bool:
        """Whether the thread has ended within that time."""
        self._thread.join(max(seconds, 0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - carried to the window's thread
                future.set_exception(error)
            else:
                future.set_result(result)


class Jobs(QObject):
    """Delivery to the window's thread; owns the lanes."""

    failed = Signal(object)
    """An exception that no handler took."""

    _wake = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._due: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._awake = False
        self._closed = False
        self._lanes: list[Lane] = []
        self._wake.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    def lane(self, name: str) -> Lane:
        """A new lane, which ``close`` waits for."""
        lane = Lane(name)
        self._lanes = [one for one in self._lanes if one.alive] + [lane]
        return lane

    def post(self, call: Callable[[], None]) -> None:
        """Have ``call`` run on the window's thread soon; from any thread, in order."""
        with self._lock:
            if self._closed:
                return
            self._due.append(call)
            if self._awake:
                return
            self._awake = True
        self._wake.emit()

    def run(
        self,
        call: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None] | None = None,
        lane: Lane | None = None,
    ) -> Future[T]:
        """Run ``call`` on ``lane`` and hand its end over on the window's thread.

        Without a lane it gets a thread of its own: few and small calls that change no cache.
        """
        if lane is not None:
            future = lane.submit(call)
        else:
            own = Lane("free")
            future = own.submit(call)
            own.close()
        future.add_done_callback(lambda ended: self.post(lambda: self._end(ended, done, failed)))
        return future

    def _end(
        self,
        future: Future[T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None] | None,
    ) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            done(future.result())
        elif failed is not None:
            failed(error)
        else:
            self.failed.emit(error)

    @Slot()
    def _drain(self) -> None:
        end = time.monotonic() + BUDGET_S
        while True:
            with self._lock:
                if not self._due:
                    self._awake = False
                    return
                call = self._due.popleft()
            try:
                call()
            except Exception as error:  # noqa: BLE001 - shown to the person, as any failure
                self.failed.emit(error)
            if time.monotonic() > end:
                QTimer.singleShot(0, self._drain)
                return

    def close(self, seconds: float) -> bool:
        """Stop delivering and wait at most that long; whether every lane has ended."""
        with self._lock:
            self._closed = True
            self._due.clear()
        end = time.monotonic() + seconds
        for lane in self._lanes:
            lane.close()
        ended = [lane.join(end - time.monotonic()) for lane in self._lanes]
        return all(ended)
