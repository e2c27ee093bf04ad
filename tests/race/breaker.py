"""One Cachewright that breaks stale locks again and again; run as a script with one JSON argument
until its input ends.

It goes the way a person's click goes: check, plan what is proven stale, repair.  Where nothing
can be proven (objects), it is the person who saw that the owner is dead, and types the ID.  A
place for a kernel lock is to be taken away by a plan that no check of ours makes.
With ``wide`` every exchange and delete of ours is held up, and the contenders are told: the worst
moment for another to come in between gets a thousand times longer.  When it did (or refused)
``wanted`` many, and with ``wide`` met another's lock so, it makes the file ``enough``.
The last line on standard output is a JSON object of what happened.
"""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cachewright.errors import CachewrightError, Changed
from cachewright.model import (
    Access,
    Confirm,
    LockKind,
    LockReport,
    Plan,
    RepairOffer,
    StepKind,
)
from cachewright.repair import releasing, taking
from cachewright.repair.unlocking import lock_step
from cachewright.storage import swap
from cachewright.workbench import Bench, Options, open_bench

sys.path.insert(0, os.path.dirname(__file__))
from protocols import KERNEL_KINDS, KINDS, NAME, is_dead

A_MOMENT_S = 0.15
TYPED = {LockKind.LEASE, LockKind.OBJECT}
KERNEL = {LockKind.FLOCK, LockKind.POSIX, LockKind.OFD}


@dataclass
class Breaking:
    """What one breaker does, and what came of it."""

    root: str
    format: str
    kind: str
    wide: bool = False
    seed: int = 0
    endpoint: str = ""
    address: str = ""
    wanted: int = 0
    aside: str = ""

    def __post_init__(self) -> None:
        self.gives_back = False
        self.chance = random.Random(self.seed)  # noqa: S311 - a seed makes it repeatable
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.lock = KINDS[self.kind](self.address or self.root, "", {})

    def run(self) -> None:
        options = Options(verify=False, observe_s=0.0)
        if self.endpoint:
            access = Access(endpoint_url=self.endpoint, region="us-east-1", path_style=True)
            options = Options(access=access)
        root = os.fsencode(self.root)
        with open_bench(root, format_name=self.format, options=options) as bench:
            print("ready", flush=True)
            while not select.select([0], [], [], 0.002)[0]:
                if self.kind in KERNEL_KINDS or self.lock.left():
                    self.counts["rounds"] += 1
                    try:
                        self.round(bench)
                    except CachewrightError as error:
                        self.reasons[str(error)[:200]] += 1

    def round(self, bench: Bench) -> None:
        seen = bench.locks() if self.kind in KERNEL_KINDS else bench.check().locks
        locks = [one for one in seen if self.meant(one)]
        for one in locks:
            if one.kind in KERNEL:
                self.repair(bench, forged(bench, one))
            elif one.kind is LockKind.OBJECT and self.seen_dead(one):
                self.repair(bench, bench.unlocking(one))
        plan = bench.plan(stale_only=True)
        if plan.steps:
            self.counts["planned"] += len(plan.steps)
            self.repair(bench, plan)
        many = sum(self.counts[one] for one in ("done", "refused"))
        if many >= self.wanted and (self.counts["met"] or not self.wide):
            self.tell("enough")

    def tell(self, what: str) -> str:
        """Make a file by which the contenders know it."""
        path = os.path.join(self.aside, what)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        return path

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """The worst moment for another to come in between, and a long one."""
        path = self.tell("moment")
        time.sleep(self.chance.uniform(0, A_MOMENT_S))
        try:
            yield
        finally:
            os.unlink(path)

    def meant(self, lock: LockReport) -> bool:
        return os.path.basename(lock.path).startswith(NAME.encode()) or lock.kind in TYPED

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


def as_number(value: str) -> Any:
    return int(value) if value.isdigit() else value


def forged(bench: Bench, lock: LockReport) -> Plan:
    """A plan that no check of ours makes: take a place for a kernel lock away."""
    offer = RepairOffer(StepKind.QUARANTINE_LOCK, Confirm.TYPED, "Because.", typed=lock.id)
    return Plan(bench.root, bench.format_name, (lock_step(lock, offer),))


def widen(breaking: Breaking) -> None:
    """Hold up every exchange that takes a lock, and every delete of a record, right before it is
    done; count how often another's lock was met there.  A lock that was taken so is given back
    without delay: a tool that makes or removes its lock in two steps may be in between."""
    rename, delete = swap._rename2, releasing._delete
    give_back = taking.Taking._give_back

    def slow_rename(*arguments: Any) -> bool:
        if arguments[-1] != swap._EXCHANGE or breaking.gives_back:
            return rename(*arguments)
        with breaking.held_up():
            return rename(*arguments)

    def counted_give_back(*arguments: Any) -> None:
        breaking.counts["met"] += 1
        breaking.gives_back = True
        try:
            give_back(*arguments)
        finally:
            breaking.gives_back = False

    def slow_delete(*arguments: Any, **how: Any) -> str:
        with breaking.held_up():
            try:
                return delete(*arguments, **how)
            except Changed:
                breaking.counts["met"] += 1
                raise

    swap._rename2, releasing._delete = slow_rename, slow_delete
    taking.Taking._give_back = counted_give_back


if __name__ == "__main__":
    breaking = Breaking(**json.loads(sys.argv[1]))
    if breaking.wide:
        widen(breaking)
    breaking.run()
    print(json.dumps({"counts": breaking.counts, "reasons": breaking.reasons}), flush=True)
