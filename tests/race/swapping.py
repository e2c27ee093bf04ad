"""Exchange names with each other, forever: what an attacker who may write in a cache can do.

Run as a script with one JSON argument until its input ends; standard library only.  Each pair of
paths is exchanged in one step by renameat2(2), so that something always has both names.  A pair
that is not there (yet) is tried again; ``*`` stands for the newest name in its directory.  The
last line on standard output is the number of swaps.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import select
import signal
import sys
import time

AT_FDCWD, EXCHANGE, PR_SET_PDEATHSIG = -100, 2, 1
BETWEEN = 16
OFFSET = 512
"""Where in a file is written: behind the head of an archive's member."""


def found(path: str) -> bytes:
    head, star, tail = path.partition("*")
    if star:
        try:
            path = head + max(os.listdir(head), key=lambda name: name[:1].isdigit()) + tail
        except (OSError, ValueError):
            path = ""
    return os.fsencode(path)


def scribbled(path: str, content: bytes) -> None:
    """Other content of the same size, and the time of modification as it was."""
    try:
        fd = os.open(path, os.O_WRONLY)
    except OSError:
        return
    before = os.fstat(fd)
    os.pwrite(fd, content, OFFSET)
    os.utime(fd, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.close(fd)


def main(
    *,
    place: str,
    pairs: list[list[str]],
    pause_s: float,
    seed: int,
    back_s: float | None = None,
    scribble: list[str] | None = None,
) -> None:
    """``pairs`` are exchanged, or where ``scribble`` gives two contents, the file that is first
    in a pair is overwritten.  With ``back_s`` each is taken back soon after."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    chance = random.Random(seed)  # noqa: S311 - a seed makes it repeatable

    def swap(pair: list[str], content: int) -> bool:
        if scribble:
            scribbled(pair[0], scribble[content].encode())
            return True
        return not libc.renameat2(AT_FDCWD, found(pair[0]), AT_FDCWD, found(pair[1]), EXCHANGE)

    def rest(longest: float) -> None:
        until = time.monotonic() + chance.uniform(0, longest)
        while time.monotonic() < until:
            pass

    os.chdir(place)
    print("ready", flush=True)
    swaps = 0
    while not select.select([0], [], [], 0)[0]:
        for _ in range(BETWEEN):
            pair = chance.choice(pairs)
            swaps += swap(pair, 0)
            if back_s is not None:
                rest(back_s)
                swap(pair, 1)
            rest(pause_s)
    print(swaps, flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
