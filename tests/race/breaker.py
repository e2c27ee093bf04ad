"""One Cachewright that breaks stale locks again and again, or the naive tool instead of it; run
as a script with one JSON argument until its input ends.

``ours`` goes the way a person's click goes: check, plan what is proven stale, repair.  Where
nothing can be proven (leases, objects), it is the person who saw that the owner is dead, and
types the ID.  ``naive`` looks in the very same way and then deletes what it saw by its name.
With ``wide`` every rename of ours is held up before and after: the moments in which another may
come in between get a thousand times longer.
The last line on standard output is a JSON object of what happened.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import select
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cachewright.errors import CachewrightError
from cachewright.model import (
    Access,
    Confirm,
    HoldVerdict,
    LockKind,
    LockReport,
    Plan,
    RepairOffer,
    StepKind,
)
from cachewright.repair.unlocking import lock_step
from cachewright.storage import swap
from cachewright.workbench import Bench, Options, open_bench

sys.path.insert(0, os.path.dirname(__file__))
from protocols import NAME, is_dead

TYPED = {LockKind.LEASE, LockKind.OBJECT}
KERNEL = {LockKind.FLOCK, LockKind.POSIX, LockKind.OFD}


@dataclass
class Breaking:
    """What one breaker does, and what came of it."""

    root: str
    mode: str
    format: str
    kind: str
    wide: bool = False
    seed: int = 0
    endpoint: str = ""

    def __post_init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def run(self) -> None:
        options = Options(verify=False, observe_s=0.0)
        if self.endpoint:
            access = Access(endpoint_url=self.endpoint, region="us-east-1", path_style=True)
            options = Options(access=access)
        root = os.fsencode(self.root)
        with open_bench(root, format_name=self.format, options=options) as bench:
            print("ready", flush=True)
            while not select.select([0], [], [], 0)[0]:
                self.counts["rounds"] += 1
                with suppress(CachewrightError):
                    self.round(bench)

    def round(self, bench: Bench) -> None:
        locks = [one for one in bench.check().locks if self.meant(one)]
        if self.mode == "naive":
            for one in locks:
                if self.breakable(one):
                    self.delete(os.fsdecode(one.path))
            return
        for one in locks:
            if one.kind in KERNEL:
                self.repair(bench, forged(bench, one))
            elif one.kind in TYPED and self.breakable(one):
                self.repair(bench, bench.unlocking(one))
        plan = bench.plan(stale_only=True)
        if plan.steps:
            self.counts["planned"] += len(plan.steps)
            self.repair(bench, plan)

    def meant(self, lock: LockReport) -> bool:
        return os.path.basename(lock.path).startswith(NAME.encode()) or lock.kind in TYPED

    def breakable(self, lock: LockReport) -> bool:
        if lock.kind in TYPED:
            return lock.verdict is not HoldVerdict.HELD and self.seen_dead(lock)
        return lock.verdict is (HoldVerdict.FREE if lock.kind in KERNEL else HoldVerdict.STALE)

    def seen_dead(self, lock: LockReport) -> bool:
        """The person's own look at the owner that the lock names."""
        return any(is_dead(value.encode()) for value in lock.owner.values()) or is_dead(
            json.dumps({name: as_number(value) for name, value in lock.owner.items()}).encode()
        )

    def repair(self, bench: Bench, plan: Plan) -> None:
        typed = {step.id: step.wanted for step in plan.steps}
        for one in bench.repair(plan, apply=True, confirmations=typed):
            self.counts[one.result.value] += 1
            self.reasons[f"{one.result.value}: {one.reason}"[:200]] += 1

    def delete(self, path: str) -> None:
        """What a tool does that trusts what it saw a moment ago."""
        self.counts["deleted"] += 1
        if self.kind == "lease":
            base = os.path.join(self.root, "leases.db")
            with closing(sqlite3.connect(base, timeout=20, isolation_level=None)) as opened:
                opened.execute("DELETE FROM leases WHERE name = ?", (NAME,))
        elif self.kind == "object":
            with closing(http.client.HTTPConnection(urlsplit(self.endpoint).netloc)) as server:
                server.request("DELETE", "/" + path.partition("://")[2])
                server.getresponse().read()
        else:
            with suppress(OSError):
                if self.kind == "dir":
                    os.unlink(os.path.join(path, "owner.json"))
                    os.rmdir(path)
                else:
                    os.unlink(path)


def as_number(value: str) -> Any:
    return int(value) if value.isdigit() else value


def forged(bench: Bench, lock: LockReport) -> Plan:
    """A plan that no check of ours makes: take a place for a kernel lock away."""
    offer = RepairOffer(StepKind.QUARANTINE_LOCK, Confirm.TYPED, "Because.", typed=lock.id)
    return Plan(bench.root, bench.format_name, (lock_step(lock, offer),))


def widen(seed: int) -> None:
    """Hold up every rename before and after it is done."""
    chance, real = random.Random(seed), swap._rename2  # noqa: S311 - a seed makes it repeatable

    def slow(*arguments: Any) -> bool:
        time.sleep(chance.choice([0, 0.001, 0.004]))
        done = real(*arguments)
        time.sleep(chance.choice([0, 0.001, 0.004]))
        return done

    swap._rename2 = slow


if __name__ == "__main__":
    breaking = Breaking(**json.loads(sys.argv[1]))
    if breaking.wide:
        widen(breaking.seed)
    breaking.run()
    print(json.dumps({"counts": breaking.counts, "reasons": breaking.reasons}), flush=True)
