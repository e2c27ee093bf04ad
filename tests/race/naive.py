"""A tool that looks whether a lock's owner is dead and then deletes what it saw by its name; run
as a script with one JSON argument until its input ends.

The same protocols' own eyes tell it, correctly, that nobody holds the lock.  What is wrong with
it is only the moment in between.  The last line on standard output is a JSON object.
"""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from contextlib import suppress

from protocols import KERNEL_KINDS, KINDS, Contender

A_MOMENT_S = {"object": 0.6}
"""The longest time from its look to its act, where not a tenth of a second."""


def seen_free(lock: Contender) -> bool:
    if lock.kind not in KERNEL_KINDS:
        return bool(lock.left())
    if not lock.acquire(take_over=False):
        return False
    lock.release()
    return True


def main(kind: str, place: str, seed: int) -> None:
    chance, deleted = random.Random(seed), 0  # noqa: S311 - a seed makes it repeatable
    lock = KINDS[kind](place, "", {})
    print("ready", flush=True)
    while not select.select([0], [], [], 0.001)[0]:
        if seen_free(lock):
            if kind not in KERNEL_KINDS:
                time.sleep(chance.uniform(0, A_MOMENT_S.get(kind, 0.1)))
            with suppress(OSError):
                lock.remove()
                deleted += 1
    print(json.dumps({"counts": {"deleted": deleted}, "reasons": {}}), flush=True)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    main(asked["kind"], asked["address"] or os.fspath(asked["root"]), asked["seed"])
