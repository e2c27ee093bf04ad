"""Four contenders for one lock, and who restarts them; run as a script with one JSON argument.

Each takes the lock, writes into a shared log that it is in, stays for a random moment, writes
that it leaves, and lets go.  Now and then one kills itself while it is in.  Lines of the log are
single appends, so their order is the order of what happened: two in at once show in it.
The last line on standard output is a JSON object of what happened.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from protocols import KINDS, own_record

LINE = 16
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


@dataclass
class Run:
    """One race: where, of what kind, and how long: until there were so many acquisitions and
    ``wrongs`` of a kind; with ``waits`` until the file ``enough`` is there too, unless two
    were in at once.  Times in seconds."""

    kind: str
    place: str
    aside: str
    acquisitions: int
    seed: int
    deaths: float = 0.06
    stay: float = 0.002
    pause: float = 0.001
    patience: float = 0.6
    hesitation: float = 0.0
    wrongs: int = 0
    wrong: str = "doubles"
    waits: bool = False
    contenders: int = 4
    log: str = field(init=False)
    ended: str = field(init=False)
    moment: str = field(init=False)

    def __post_init__(self) -> None:
        self.log = os.path.join(self.aside, "log")
        self.ended = os.path.join(self.aside, "ended")
        self.moment = os.path.join(self.aside, "moment")

    def is_over(self, acquisitions: int) -> bool:
        if acquisitions < self.acquisitions:
            return False
        counts = told(self.log)
        if self.waits and not counts["doubles"]:
            return os.path.exists(os.path.join(self.aside, "enough"))
        return counts[self.wrong] >= self.wrongs


class Log:
    """Fixed-size lines: what happened, and to which contender."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, number: int) -> None:
        assert os.write(self._fd, f"{what} {number:013d}\n".encode()) == LINE


class Counter:
    """How often somebody got in, read on from where it was read to."""

    def __init__(self, path: str) -> None:
        self._fd, self.entries = os.open(path, os.O_RDONLY), 0

    def read(self) -> int:
        while part := os.read(self._fd, 4096 * LINE):
            self.entries += part.count(b"E")
        return self.entries


class Patience:
    """How long a dead owner's lock is left to others: the same for all who meet it, so that it
    is taken over at any moment of a breaking of the same lock; every other one at the very worst
    moment, as soon as the breaker tells of it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._met = b""
        self._until = 0.0
        self._sly = False

    def meet(self, left: bytes) -> None:
        if left != self._met:
            chance = random.Random(left + b"%d" % self._run.seed)  # noqa: S311 - as above
            self._met, self._until = left, time.monotonic() + chance.uniform(0, self._run.patience)
            self._sly = chance.random() < 0.5

    @property
    def is_over(self) -> bool:
        if not self._met:
            return False
        return time.monotonic() > self._until or (self._sly and os.path.exists(self._run.moment))


def contend(run: Run, number: int) -> None:
    """One contender's life, until the race has ended or it kills itself."""
    chance = random.Random(f"{run.seed}-{number}")  # noqa: S311 - a seed makes it repeatable
    lock = KINDS[run.kind](run.place, run.aside, record_of(run, number))
    lock.hesitation = run.hesitation
    log, waiting = Log(run.log), Patience(run)
    while not os.path.exists(run.ended):
        if not lock.acquire(take_over=waiting.is_over):
            waiting.meet(lock.left())
            time.sleep(chance.uniform(run.pause / 5, run.pause))
            continue
        waiting.meet(b"")
        log.write("E", number)
        if lock.took_over:
            log.write("T", number)
        lock.took_over = False
        time.sleep(chance.expovariate(1 / run.stay))
        if chance.random() < run.deaths:
            log.write("K", number)
            os.kill(os.getpid(), signal.SIGKILL)
        log.write("L", number)
        if not lock.release():
            log.write("R", number)
        time.sleep(chance.uniform(0, run.pause))


def record_of(run: Run, number: int) -> dict[str, Any]:
    record = own_record(number)
    if run.kind != "object":
        return record
    return {
        "ID": f"00000000-0000-4000-8000-{number:012d}",
        "Operation": "OperationTypeApply",
        "Info": json.dumps(record),
        "Who": "someone@somewhere",
        "Version": "1.12.0",
        "Created": "2026-01-01T00:00:00.000000000Z",
        "Path": "bucket/work.tfstate",
    }


def supervise(run: Run) -> None:
    """Keep the contenders up until there were enough acquisitions, then let them finish."""
    Log(run.log)
    count, alive, number = Counter(run.log), set[int](), 0
    while not os.path.exists(run.ended) or alive:
        if run.is_over(count.read()):
            os.close(os.open(run.ended, os.O_CREAT | os.O_WRONLY, 0o600))
        while len(alive) < run.contenders and not os.path.exists(run.ended):
            number += 1
            alive.add(started(run, number))
        pid, _status = os.waitpid(-1, os.WNOHANG)
        if pid:
            alive.discard(pid)
        else:
            time.sleep(0.002)


def started(run: Run, number: int) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            contend(run, number)
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def told(log: str) -> dict[str, int]:
    """What the log says: ``doubles`` are entries while another, living one was in."""
    inside: set[bytes] = set()
    counts = dict.fromkeys(("acquisitions", "doubles", "deaths", "takeovers", "robbed"), 0)
    with open(log, "rb") as file:
        for line in file:
            what, number = line.split()
            if what == b"E":
                counts["acquisitions"] += 1
                counts["doubles"] += bool(inside)
                inside.add(number)
            else:
                if what in b"LK":
                    inside.discard(number)
                named = {b"K": "deaths", b"T": "takeovers", b"R": "robbed"}.get(what)
                if named:
                    counts[named] += 1
    return counts


if __name__ == "__main__":
    run = Run(**json.loads(sys.argv[1]))
    supervise(run)
    print(json.dumps(told(run.log)), flush=True)
