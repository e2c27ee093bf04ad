"""Looks at locks as fast as it can until its input ends; run as a script with a way, a root and
after how many looks it says ``enough``.

``ours`` is what ``cachewright locks --watch`` does each second.  ``locking`` is a tool that
locks in order to look, and ``leasing`` one that asks the kernel by a lease while it watches.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

NAME = "work"


@contextmanager
def ours(root: str) -> Iterator[Callable[[], object]]:
    from cachewright.workbench import open_bench

    with open_bench(os.fsencode(root), format_name="stranger") as bench:
        yield bench.locks


def tried(path: str, kind: str) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        if kind == "flock":
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            command = fcntl.F_OFD_SETLK if kind == "ofd" else fcntl.F_SETLK
            fcntl.fcntl(fd, command, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    finally:
        os.close(fd)


@contextmanager
def locking(root: str) -> Iterator[Callable[[], object]]:
    def look() -> None:
        for kind in ("flock", "posix", "ofd"):
            with suppress(OSError):
                tried(os.path.join(root, f"{NAME}.{kind}"), kind)

    yield look


@contextmanager
def leasing(root: str) -> Iterator[Callable[[], object]]:
    from cachewright.holders import sole_opener

    def look() -> None:
        with suppress(OSError):
            fd = os.open(os.path.join(root, f"{NAME}.lock"), os.O_RDONLY)
            try:
                sole_opener(fd)
            finally:
                os.close(fd)

    yield look


WAYS = {"ours": ours, "locking": locking, "leasing": leasing}

if __name__ == "__main__":
    looks = 0
    with WAYS[sys.argv[1]](sys.argv[2]) as look:
        look()
        print("ready", flush=True)
        while not select.select([0], [], [], 0)[0]:
            look()
            looks += 1
            if looks == int(sys.argv[3]):
                print("enough", flush=True)
