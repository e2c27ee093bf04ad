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


def found(path: str) -> bytes:
    head, star, tail = path.partition("*")
    if star:
        try:
            path = head + max(os.listdir(head), key=lambda name: name[:1].isdigit()) + tail
        except (OSError, ValueError):
            path = ""
    return os.fsencode(path)


def main(place: str, pairs: list[list[str]], pause_s: float, seed: int) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    chance = random.Random(seed)  # noqa: S311 - a seed makes it repeatable
    os.chdir(place)
    print("ready", flush=True)
    swaps = 0
    while not select.select([0], [], [], 0)[0]:
        for _ in range(BETWEEN):
            one, other = map(found, chance.choice(pairs))
            swaps += not libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, EXCHANGE)
            until = time.monotonic() + chance.uniform(0, pause_s)
            while time.monotonic() < until:
                pass
    print(swaps, flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
