"""Hash big files in threads: hashlib lets go of the interpreter for whole blocks."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from cachewright.digests import BLOCK, FileDigest, hash_file
from cachewright.errors import Cancelled, Escapes, NotARegularFile
from cachewright.hashing.reading import GONE, outlast_tick, same
from cachewright.hashing.wire import SIZE, Signature
from cachewright.model import CancelToken
from cachewright.storage.anchored import Directory
from cachewright.workers.serving import NICENESS

Label = TypeVar("Label")

_PAUSE_S: Final = 0.05
_PATIENCE_S: Final = 1.0
"""How long leaving may wait for a thread that a hung file system holds."""


@dataclass(slots=True, eq=False)
class BigFile(Generic[Label]):
    """One file to be hashed.  When it is handed back, ``digest``, ``changed`` or ``error`` says
    what became of it; ``read`` bytes may be looked at meanwhile."""

    label: Label
    root: Directory
    path: bytes
    known: Signature
    read: int = 0
    digest: FileDigest | None = None
    changed: bool = False
    error: Exception | None = None


class _Stop(Generic[Label]):
    """Between two blocks: wait while paused, end when cancelled or when nobody wants more."""

    def __init__(self, cancel: CancelToken, ended: threading.Event, file: BigFile[Label]) -> None:
        self._cancel, self._ended, self._file = cancel, ended, file

    def check(self) -> None:
        while self._cancel.paused:
            # Not by the token's own waiting: leaving a paused piece of work must wake us.
            if self._ended.wait(_PAUSE_S):
                break
        if self._ended.is_set() or self._cancel.cancelled:
            raise Cancelled
        self._file.read = min(self._file.known[SIZE], self._file.read + BLOCK)


class BigFiles(Generic[Label]):
    """Threads that hash what is given to ``add`` and hand it back through ``done``; leaving
    the context ends them.  ``wake`` is readable when something is done."""

    def __init__(self, algorithms: Sequence[str], threads: int, cancel: CancelToken) -> None:
        self._algorithms = algorithms
        self._limit = threads
        self._cancel = cancel
        self._todo: queue.SimpleQueue[BigFile[Label] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[BigFile[Label]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self.running: list[BigFile[Label]] = []
        self.wake, self._waker = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(self._waker, False)

    def add(self, file: BigFile[Label]) -> None:
        """Hash it when a thread is free; the caller sees to it that not too many wait."""
        self.running.append(file)
        self._todo.put(file)
        if len(self._threads) < min(self._limit, len(self.running)):
            # A daemon, because one that a hung file system holds must not keep us from ending.
            thread = threading.Thread(target=self._work, name="cachewright-hash", daemon=True)
            self._threads.append(thread)
            thread.start()

    def done(self) -> Iterator[BigFile[Label]]:
        """What was handed back since."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.wake, 4096):
                pass
        with contextlib.suppress(queue.Empty):
            while True:
                file = self._done.get_nowait()
                self.running.remove(file)
                yield file

    def _work(self) -> None:
        if sys.platform == "linux":
            nice = max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
        buffer = bytearray(BLOCK)
        while (file := self._todo.get()) is not None:
            try:
                self._hash(file, buffer)
            except Cancelled:
                return
            except Exception as error:  # noqa: BLE001 - whoever waits for it must hear of it
                file.error = error
            self._done.put(file)
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._waker, b".")

    def _hash(self, file: BigFile[Label], buffer: bytearray) -> None:
        outlast_tick((file.known,))
        try:
            fd = file.root.open_file(file.path)
        except (Escapes, NotARegularFile):
            file.changed = True
            return
        except OSError as error:
            file.changed = error.errno in GONE
            if not file.changed:
                raise
            return
        try:
            found = os.fstat(fd)
            if not same(found, file.known):
                file.changed = True
                return
            stop = _Stop(self._cancel, self._ended, file)
            size, values = hash_file(fd, self._algorithms, stop, buffer)
            file.changed = size != found.st_size or not same(os.fstat(fd), file.known)
        finally:
            os.close(fd)
        file.digest = FileDigest(size, found.st_mode, values)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        for _thread in self._threads:
            self._todo.put(None)
        until = time.monotonic() + _PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            # A thread that is stuck may still write there one day.
            os.close(self._waker)
        os.close(self.wake)
