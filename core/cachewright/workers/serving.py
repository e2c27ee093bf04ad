"""The inside of a worker process: frames come in on descriptor 0, answers go out on 1.

A worker only reads.  It ends when its starter goes away, and may be killed at any moment.
"""

from __future__ import annotations

import gc
import os
import signal
import struct
from array import array
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

HEADER: Final = struct.Struct("=BQ")
"""Kind of frame and length of what follows."""
ANSWER: Final = 0
FAILURE: Final = 1
"""What follows is the text of an error; the worker ends."""

NICENESS: Final = 10

Part: TypeAlias = "bytes | bytearray | array[int]"


def _read_exactly(fd: int, count: int) -> bytes | None:
    """``count`` bytes; None at the end of the stream."""
    content = bytearray(count)
    view = memoryview(content)
    while view:
        got = os.readv(fd, [view])
        if not got:
            return None
        view = view[got:]
    return bytes(content)


def read_frame(fd: int) -> bytes | None:
    """The next frame's content; None when the other side is gone."""
    head = _read_exactly(fd, HEADER.size)
    if head is None:
        return None
    _kind, length = HEADER.unpack(head)
    return _read_exactly(fd, length)


def write_frame(fd: int, kind: int, parts: Sequence[Part]) -> None:
    """A whole frame, in as few calls as the pipe allows."""
    views = [memoryview(part).cast("B") for part in parts if len(part)]
    length = sum(len(view) for view in views)
    views.insert(0, memoryview(HEADER.pack(kind, length)))
    while views:
        written = os.writev(fd, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views:
            views[0] = views[0][written:]


def serve(start: Callable[[bytes], Callable[[bytes], Sequence[Part]]]) -> None:
    """Give the first frame to ``start`` and every later one to what it returned."""
    # Ctrl-C in a terminal reaches the whole group; the starter decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    gc.disable()
    first = read_frame(0)
    if first is None:
        return
    try:
        answer = start(first)
        while (frame := read_frame(0)) is not None:
            write_frame(1, ANSWER, answer(frame))
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the starter must hear of it
        write_frame(1, FAILURE, [f"{type(error).__name__}: {error}".encode("utf-8", "replace")])
