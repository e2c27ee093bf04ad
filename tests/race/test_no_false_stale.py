"""Thousands of owners, alive and dead in every way, and not one that lives is called stale.

Every owner is a real process (``farm.py``), some in pid namespaces where a dead one's pid was
given to another at once.  What is made up is told to the judge through its machine: a restart.
What is counted as alive: whoever runs, is stopped, lost only its main thread, holds the lock in
any way, or may run on another computer.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.race.conftest import HERE, NESTED, WAYS

from cachewright import holders
from cachewright.holders.owners import THIS_MACHINE
from cachewright.holders.sightings import Sighting
from cachewright.locks.looking import Around, look
from cachewright.model import Claim, HoldVerdict, LockPlace
from cachewright.storage.anchored import Directory

if TYPE_CHECKING:
    from tests.race.conftest import Farm, Grown, Plant

SCENARIOS = 2000
BATCH = 80
FROM_A_CONTAINER = 10
"""Of how many batches one is also judged by a looker that stands in a container itself."""
SEED = 20_261_121
NOBODY = 65_534
FIELDS = ("machine", "boot", "pidns", "pid", "start")
OTHER_BOOT = "00000000-1111-4222-8333-444444444444"
DAY_S = 86_400


@dataclass(frozen=True)
class Restarted:
    """This computer after a restart: another boot id, and all else as it is."""

    boot_id: str = OTHER_BOOT

    @property
    def machine_id(self) -> str:
        return THIS_MACHINE.machine_id

    @property
    def pid_namespace(self) -> int:
        return THIS_MACHINE.pid_namespace

    @property
    def sees_all(self) -> bool:
        return THIS_MACHINE.sees_all

    def find(self, claim: Claim) -> Sighting:
        return THIS_MACHINE.find(claim)


@dataclass
class Batch:
    """Scenarios that lie side by side and are judged at one moment."""

    root: Path
    chance: random.Random
    farms: Sequence[Farm]
    restarted: bool
    alive: dict[bytes, bool] = field(default_factory=dict)
    what: dict[bytes, str] = field(default_factory=dict)
    grown: list[Grown] = field(default_factory=list)

    def grow(self, *role: str | Path, **more: Any) -> Grown:
        one = self.chance.choice(self.farms).grow(*role, **more)
        self.grown.append(one)
        return one

    def end(self, one: Grown) -> None:
        self.grown.remove(one)
        one.end()

    def record(self, one: Grown) -> dict[str, Any]:
        """What the process would write: after a restart it reads the other boot id, unless its
        container has one of its own."""
        read = one.record()
        same = read["boot"] == THIS_MACHINE.boot_id
        return read | ({"boot": OTHER_BOOT} if self.restarted and same else {})


Owner = Callable[[Batch], tuple[dict[str, Any], bool]]
"""Makes an owner; its record, and whether it lives."""


def running(batch: Batch) -> tuple[dict[str, Any], bool]:
    role = batch.chance.choice(["idle", "idle", "stop", "threads"])
    return batch.record(batch.grow(role)), True


def running_as_another_user(batch: Batch) -> tuple[dict[str, Any], bool]:
    several = [one for one in batch.farms if one.way != "users of its own"]
    one = batch.chance.choice(several).grow("idle", uid=NOBODY)
    batch.grown.append(one)
    return batch.record(one), True


def ended(batch: Batch) -> tuple[dict[str, Any], bool]:
    one = batch.grow("idle")
    batch.end(one)
    return batch.record(one), False


def zombie(batch: Batch) -> tuple[dict[str, Any], bool]:
    one = batch.grow("idle")
    one.become_a_zombie()
    return batch.record(one), False


def reused(batch: Batch) -> tuple[dict[str, Any], bool]:
    """Its pid is another's by now, in the same pid namespace."""
    nested = batch.chance.choice([one for one in batch.farms if one.counts_anew])
    one = nested.grow("idle", pid=batch.chance.randrange(3000, 30_000))
    one.end()
    other = nested.grow(batch.chance.choice(["idle", "stop"]), pid=one.pid)
    batch.grown.append(other)
    assert other.start != one.start
    return batch.record(one), False


def before_the_restart(batch: Batch) -> tuple[dict[str, Any], bool]:
    """It ran before the computer was restarted; its pid may be anybody's by now."""
    one = batch.grow("idle")
    if batch.chance.random() < 0.5:
        batch.end(one)
    return one.record() | {"boot": str(uuid.uuid4()), "start": one.start + 7}, False


def elsewhere(batch: Batch) -> tuple[dict[str, Any], bool]:
    """It may run on another computer, whatever its record says otherwise."""
    one = batch.grow("idle")
    if batch.chance.random() < 0.5:
        batch.end(one)
    boot = {"boot": str(uuid.uuid4())} if batch.chance.random() < 0.7 else {}
    return batch.record(one) | {"machine": uuid.uuid4().hex} | boot, True


OWNERS: Sequence[Owner] = (
    *([running] * 3),
    running_as_another_user,
    *([ended] * 4),
    zombie,
    *([reused] * 2),
    before_the_restart,
    elsewhere,
)
HOLDS = ("open", "write", "map", "flock", "posix", "ofd")
INHERITED = ("open", "flock", "ofd")


def scenario(batch: Batch, number: int) -> None:
    """One lock with its owner, and perhaps with somebody else who has it in use."""
    chance = batch.chance
    owner = chance.choice(OWNERS)
    record, alive = owner(batch)
    shape = chance.choice(["lock", "lock", "lnk", "dir", "info"])
    path = batch.root / f"l{number}.{shape}"
    damaged = damage(chance, record)
    file = put(path, damaged)
    if shape == "info":
        alive = chance.random() < 0.4  # only the lock beside it counts
        if alive:
            batch.grow(chance.choice(["posix", "ofd"]), path.with_suffix(".data"))
    elif file is not None and chance.random() < 0.2:
        role = [chance.choice(HOLDS), file]
        if chance.random() < 0.4:
            role = ["inherit", chance.choice(INHERITED), file]
        batch.grow(*role)
        alive = True
    elif shape == "dir" and chance.random() < 0.2:
        batch.grow("cwd", path)
        alive = True
    at = path.stat(follow_symlinks=False).st_mtime + chance.choice([0, 0, -400, 400]) * DAY_S
    os.utime(path, (at, at), follow_symlinks=False)
    key = os.fsencode(path.name)
    batch.alive[key] = alive
    whole = damaged == json.dumps(record)
    batch.what[key] = "info" if shape == "info" else f"{owner.__name__}{'' if whole else ', part'}"


def damage(chance: random.Random, record: dict[str, Any]) -> str:
    """What is read of the record: mostly all of it."""
    kind = chance.random()
    if kind < 0.6:
        return json.dumps(record)
    if kind < 0.9:
        missing = chance.sample(FIELDS, chance.randint(1, 4))
        return json.dumps({name: value for name, value in record.items() if name not in missing})
    whole = json.dumps(record)
    return chance.choice([" ", "{", whole[: len(whole) // 2], whole + "}", "[]", "0", '"x"'])


def put(path: Path, record: str) -> Path | None:
    """The lock; what of it can be opened."""
    if path.suffix == ".lnk":
        path.symlink_to(record)
        return None
    if path.suffix == ".dir":
        path.mkdir()
        path /= "owner.json"
    if path.suffix == ".info":
        path.with_suffix(".data").write_text("content")
    path.write_text(record)
    with path.open("ab") as file:
        file.write(b" " * 4096)  # long enough to be mapped
    return path


def judge_from_a_container(batch: Batch) -> dict[bytes, tuple[HoldVerdict, str]]:
    """What a Cachewright says that sees none of their processes."""
    asked = json.dumps({"root": str(batch.root), "without": ""})
    command = [*NESTED, sys.executable, str(HERE / "looker.py"), asked]
    ran = subprocess.run(command, check=True, capture_output=True)
    locks = json.loads(ran.stdout)["locks"].items()
    told = {os.fsencode(name): one for name, one in locks}
    return {
        name: (HoldVerdict(told[name]["verdict"]), told[name]["explanation"])
        for name in batch.alive
    }


def judge(batch: Batch, knowledge: Any) -> dict[bytes, tuple[HoldVerdict, str]]:
    with Directory.open(os.fsencode(batch.root)) as root:
        places: dict[bytes, LockPlace] = {one.relative: one for one in knowledge(root).locks()}
        seen, kernel = holders.look_around([root.path], frozenset({root.identity.device}))
        machine = Restarted() if batch.restarted else THIS_MACHINE
        around = Around.now(root, seen, kernel=kernel, decide=True, machine=machine)
        told = {}
        for name in batch.alive:
            report = look(root, places[name], knowledge(root), around)
            assert report is not None
            told[name] = (report.verdict, report.explanation)
        return told


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("only_root")
def test_no_living_owner_is_called_stale(
    plant: Plant, stranger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from stranger_cache import StrangerKnowledge

    chance = random.Random(SEED)  # noqa: S311 - a seed makes it repeatable
    farms = [plant(way) for way in WAYS]
    count: Counter[tuple[bool, str, HoldVerdict]] = Counter()
    for number in range(SCENARIOS // BATCH):
        root = tmp_path / str(number)
        root.mkdir()
        (root / f"{stranger}.cache").touch()
        batch = Batch(root, chance, farms, restarted=chance.random() < 0.25)
        for index in range(BATCH):
            scenario(batch, index)
        told = judge(batch, StrangerKnowledge)
        looks = [told]
        if number % FROM_A_CONTAINER == 0 and not batch.restarted:
            looks.append(judge_from_a_container(batch))
        wrong = {
            name: (batch.what[name], *look[name])
            for look in looks
            for name, alive in batch.alive.items()
            if alive and look[name][0] is HoldVerdict.STALE
        }
        assert not wrong, f"seed {SEED}, batch {number}: {wrong}"
        count.update(
            (alive, batch.what[name], told[name][0]) for name, alive in batch.alive.items()
        )
        for one in batch.grown:
            one.end()
    with capsys.disabled():
        print(summary(count))
    assert sum(count.values()) >= SCENARIOS
    assert rate(count, {"ended", "reused", "zombie", "before_the_restart", "info"}) > 0.95


def rate(count: Counter[tuple[bool, str, HoldVerdict]], what: set[str]) -> float:
    """The part of the dead ones of these kinds that are called stale."""
    dead = {key: many for key, many in count.items() if not key[0] and key[1] in what}
    stale = sum(many for key, many in dead.items() if key[2] is HoldVerdict.STALE)
    return stale / sum(dead.values())


def summary(count: Counter[tuple[bool, str, HoldVerdict]]) -> str:
    kinds = sorted({key[:2] for key in count}, reverse=True)
    lines = [f"\nno false stale, seed {SEED}: {sum(count.values())} scenarios"]
    for alive, what in kinds:
        found = {one: count[alive, what, one] for one in HoldVerdict if count[alive, what, one]}
        said = ", ".join(f"{many} {verdict.value}" for verdict, many in found.items())
        lines.append(f"  {'alive' if alive else 'dead '} {what}: {said}")
    dead = sum(many for key, many in count.items() if not key[0])
    stale = sum(many for key, many in count.items() if key[2] is HoldVerdict.STALE)
    lines.append(f"  called stale: 0 of the living, {stale} of {dead} dead ({stale / dead:.0%})")
    return "\n".join(lines)
