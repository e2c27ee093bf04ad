"""A program that takes and lets go of one lock a thousand times a second, and never waits; run
as a script with the kind, a directory and how often at least: it goes on until its input ends.

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

from protocols import KINDS, Contender, own_record

PERIOD_S = 0.001


def once(lock: Contender) -> str:
    """What went wrong this time; empty where nothing did."""
    if not lock.acquire(take_over=False):
        return "somebody else has the lock"
    trouble = ""
    try:
        os.close(os.open(lock.path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        trouble = f"its own lock file: {error.strerror}"
    time.sleep(PERIOD_S / 2)
    return trouble if lock.release() else "its lock was gone"


def main(kind: str, place: str, times: int) -> None:
    lock = KINDS[kind](place, place, own_record(1))
    failed: Counter[str] = Counter()
    print("ready", flush=True)
    due = time.monotonic()
    while times > 0 or not select.select([0], [], [], 0)[0]:
        times -= 1
        trouble = once(lock)
        if trouble:
            failed[trouble] += 1
        due = max(due + PERIOD_S, now := time.monotonic())
        time.sleep(due - now)
    print(json.dumps({"failed": failed}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
