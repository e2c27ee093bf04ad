"""A program that takes and lets go of one lock a thousand times a second, and never waits; run
as a script with the kind and a directory, until its input ends.  Of a lock that is a file, which
nobody but its owner may disturb, it is the opening that goes on all the time.

What it counts as a failure is whatever another can do to it: its lock was not to be had, or its
own file could not be opened at once.  The last line on standard output is a JSON object.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections import Counter

from protocols import KINDS, Contender

PERIOD_S = 0.001


def work(lock: Contender) -> str:
    """Open its own lock file again and again, and never wait for that either."""
    until = time.monotonic() + 20 * PERIOD_S
    try:
        while time.monotonic() < until:
            os.close(os.open(lock.path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return f"its own lock file: {error.strerror}"
    return ""


def once(lock: Contender) -> str:
    """What went wrong this time; empty where nothing did."""
    if not lock.acquire(take_over=False):
        return "somebody else has the lock"
    trouble = work(lock) if lock.kind == "file" else time.sleep(PERIOD_S / 2)
    return (trouble or "") if lock.release() else "its lock was gone"


def main(kind: str, place: str) -> None:
    lock = KINDS[kind](place, place, {})  # nothing in it speaks for its owner
    failed: Counter[str] = Counter()
    times = 0
    print("ready", flush=True)
    due = time.monotonic()
    while not select.select([0], [], [], 0)[0]:
        trouble = once(lock)
        times += 1
        if trouble:
            failed[trouble] += 1
        due = max(due + PERIOD_S, now := time.monotonic())
        time.sleep(due - now)
    print(json.dumps({"failed": failed, "times": times}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
