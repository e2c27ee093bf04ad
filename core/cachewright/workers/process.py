"""Worker processes as their starter sees them: started fast, asked over a socket, killed at will.

A hung file system hangs the worker, never the starter: nothing here waits for a worker without
a limit, except as long as the caller wants to.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from cachewright.workers.serving import FAILURE, HEADER

# Without site: no start-up hook of any installed package runs or costs time in a worker.
_START: Final = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from importlib import import_module; import_module(sys.argv[2]).main()"
)
_OPTIONS: Final = ("-I", "-S", "-X", "utf8")
_HOME: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
Asked = TypeVar("Asked")
"""How the starter remembers what it asked."""

_SET_PIPE_SIZE: Final[int | None] = getattr(fcntl, "F_SETPIPE_SZ", None)
_PIPE_BYTES: Final = 1 << 20
"""So that a worker goes on while its starter draws a window; only Linux lets one ask."""

_PATIENCE_S: Final = 0.5
"""How long a killed process may take to be gone before somebody else waits for it."""


class Ended(Exception):
    """A worker ended by itself; the text says how."""


class Worker(Generic[Asked]):
    """One process.  ``sent`` holds what it was asked and has not answered yet, oldest first."""

    def __init__(self, module: str) -> None:
        self.sent: deque[Asked] = deque()
        self._out: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._head = bytearray(HEADER.size)
        self._kind = -1
        self._filled = 0
        self._frame = self._head
        self._channel, theirs = socket.socketpair()
        self.readable, answers = os.pipe()
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, *_OPTIONS, "-c", _START, _HOME, module],
                stdin=theirs.fileno(),
                stdout=answers,
                stderr=subprocess.DEVNULL,
            )
        except BaseException:
            self._channel.close()
            os.close(self.readable)
            raise
        finally:
            theirs.close()
            os.close(answers)
        self._channel.setblocking(False)
        os.set_blocking(self.readable, False)
        if _SET_PIPE_SIZE is not None:
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.readable, _SET_PIPE_SIZE, _PIPE_BYTES)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def writable(self) -> int:
        return self._channel.fileno()

    @property
    def unsent(self) -> bool:
        """Whether something waits for room in the pipe."""
        return bool(self._out)

    def send(self, frame: bytes, fds: tuple[int, ...] = ()) -> None:
        """Queue a frame, with descriptors that the worker shall have too, and push what fits;
        never blocks.  The descriptors must stay open until ``unsent`` is false."""
        self._out += [(memoryview(HEADER.pack(0, len(frame))), fds), (memoryview(frame), ())]
        self.push()

    def push(self) -> None:
        """Write what the channel takes now."""
        try:
            while self._out:
                view, fds = self._out[0]
                written = socket.send_fds(self._channel, [view], fds)
                if written < len(view):
                    self._out[0] = (view[written:], ())
                else:
                    self._out.popleft()
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            # It is gone: the end of its answers will say so.
            self._out.clear()

    def receive(self) -> bytearray | None:
        """Read what is there; a whole answer, or None.  ``Ended`` if it is gone."""
        try:
            count = os.readv(self.readable, [memoryview(self._frame)[self._filled :]])
        except BlockingIOError:
            return None
        if not count:
            raise Ended(self._how_it_ended())
        self._filled += count
        if self._filled < len(self._frame):
            return None
        return self._complete()

    def _complete(self) -> bytearray | None:
        frame, self._filled = self._frame, 0
        if frame is self._head:
            self._kind, length = HEADER.unpack(frame)
            self._frame = bytearray(length)
            if length:
                return None
            frame = self._frame
        self._frame = self._head
        if self._kind == FAILURE:
            raise Ended(frame.decode("utf-8", "replace"))
        return frame

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return "it closed its side"
        if code >= 0:
            return f"it ended with status {code}"
        return f"it was ended by signal {-code}"

    def kill(self) -> None:
        self._process.kill()

    def bury(self) -> None:
        """Close the pipes and wait for the killed process; one that cannot die because a file
        system hangs is waited for elsewhere."""
        self._channel.close()
        os.close(self.readable)
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            threading.Thread(target=self._process.wait, daemon=True).start()


class Crew(Generic[Asked]):
    """Some workers for one piece of work; leaving the context kills them all."""

    def __init__(self) -> None:
        self.workers: list[Worker[Asked]] = []
        self._selector = selectors.DefaultSelector()
        self._writing: set[int] = set()

    def start(self, module: str) -> Worker[Asked]:
        """One more worker, which imports ``module`` and calls its ``main``."""
        worker: Worker[Asked] = Worker(module)
        self.workers.append(worker)
        self._selector.register(worker.readable, selectors.EVENT_READ, worker)
        return worker

    def watch(self, fd: int) -> None:
        """Let ``answers`` also return when this descriptor is readable."""
        self._selector.register(fd, selectors.EVENT_READ, None)

    def answers(self, timeout_s: float) -> Iterator[tuple[Worker[Asked], bytearray | Ended]]:
        """Answers that have come, each with who gave it; waits at most ``timeout_s``."""
        self._register_writers()
        for key, events in self._selector.select(timeout_s):
            worker: Worker[Asked] | None = key.data
            if worker is None:
                continue
            if events & selectors.EVENT_WRITE:
                worker.push()
                continue
            try:
                frame = worker.receive()
            except Ended as ended:
                self._selector.unregister(worker.readable)
                yield worker, ended
            else:
                if frame is not None:
                    yield worker, frame

    def _register_writers(self) -> None:
        for worker in self.workers:
            waiting, known = worker.unsent, worker.writable in self._writing
            if waiting and not known:
                self._selector.register(worker.writable, selectors.EVENT_WRITE, worker)
                self._writing.add(worker.writable)
            elif known and not waiting:
                self._selector.unregister(worker.writable)
                self._writing.discard(worker.writable)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._selector.close()
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.bury()
