"""Runs the real clcache where there is no Windows: only its named mutexes are made up.

``on_windows.py ARGUMENTS...`` is ``clcache ARGUMENTS...``.  With ``STOP_AT=N`` in the environment
it stops right before its N-th rename (with ``STOP_AT=copy`` in the middle of copying an object),
says so on descriptor ``STOP_FD``, and waits to be killed.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class Mutexes:
    """The calls that clcache makes; one process at a time uses a cache in these tests."""

    def __init__(self) -> None:
        self._handles = itertools.count(1)
        self._by_name: dict[str, threading.RLock] = {}
        self._held: dict[int, threading.RLock] = {}

    def CreateMutexW(self, _security: object, _owned: object, name: str) -> int:  # noqa: N802
        handle = next(self._handles)
        self._held[handle] = self._by_name.setdefault(name, threading.RLock())
        return handle

    def WaitForSingleObject(self, handle: int, _milliseconds: object) -> int:  # noqa: N802
        self._held[handle].acquire()
        return 0

    def ReleaseMutex(self, handle: int) -> int:  # noqa: N802
        self._held[handle].release()
        return 1

    def CloseHandle(self, handle: int) -> int:  # noqa: N802
        del self._held[handle]
        return 1


def stop() -> None:
    os.write(int(os.environ["STOP_FD"]), b"stopped\n")
    while True:
        signal.pause()


def stopping(rename: Callable[..., None], count: itertools.count[int], at: int) -> Any:
    def renamed(*names: Any, **more: Any) -> None:
        if next(count) == at:
            stop()
        rename(*names, **more)

    return renamed


def half_copied(source: str, target: str) -> None:
    with open(source, "rb") as whole, open(target, "wb") as half:
        content = whole.read()
        half.write(content[: len(content) // 2])
    stop()


def main() -> int:
    ctypes.windll = SimpleNamespace(kernel32=Mutexes())  # type: ignore[attr-defined]
    from clcache import __main__ as clcache  # type: ignore[import-not-found]

    clcache.CL_DEFAULT_CODEC = "utf-8"
    at = os.environ.get("STOP_AT", "")
    if at == "copy":
        clcache.copyfile = half_copied
    elif at:
        count = itertools.count(1)
        os.replace = stopping(os.replace, count, int(at))
        os.rename = stopping(os.rename, count, int(at))
    return int(clcache.main() or 0)


if __name__ == "__main__":
    sys.exit(main())
