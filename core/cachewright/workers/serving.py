"""The inside of a worker process: frames come in on descriptor 0, a socket, and answers
go out on 1, a pipe.

A worker only reads.  It ends when its starter goes away, and may be killed at any moment.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
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
Handler: TypeAlias = Callable[[bytes, list[int]], Sequence[Part] | None]


def _read_exactly(channel: socket.socket, view: memoryview) -> bool:
    """Fill the view; false at the end of the stream."""
    while view:
        got = channel.recv_into(view)
        if not got:
            return False
        view = view[got:]
    return True


def read_frame(channel: socket.socket) -> tuple[bytes, list[int]] | None:
    """The next frame's content and the descriptors that came with it; None at the end."""
    head, fds, _flags, _address = socket.recv_fds(channel, HEADER.size, 1)
    if not head:
        return None
    rest = bytearray(HEADER.size - len(head))
    if not _read_exactly(channel, memoryview(rest)):
        return None
    _kind, length = HEADER.unpack(head + rest)
    content = bytearray(length)
    if not _read_exactly(channel, memoryview(content)):
        return None
    return bytes(content), fds


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


def serve(start: Callable[[bytes, list[int]], Handler], *, niceness: int = NICENESS) -> None:
    """Give the first frame to ``start`` and every later one to what it returned, which answers
    or has nothing to say."""
    # Ctrl-C in a terminal reaches the whole group; the starter decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)
    gc.disable()
    channel = socket.socket(fileno=0)
    try:
        first = read_frame(channel)
        handle = start(*first) if first else None
        while handle is not None and (frame := read_frame(channel)) is not None:
            answer = handle(*frame)
            if answer is not None:
                write_frame(1, ANSWER, answer)
    except (BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the starter must hear of it
        write_frame(1, FAILURE, [f"{type(error).__name__}: {error}".encode("utf-8", "replace")])
