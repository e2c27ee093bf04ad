"""Every way of holding a lock alive closes the one-click path, and says why.

Each lock lies beside a proof that would do without its holder: the record names an owner whose
process has really ended, or the kernel lock is free.  When the holder has ended, the very same
lock is stale and goes by one click, so no case is closed for another reason than its own.  And
each of the judge's senses is taken out once: then a case fails.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.race.blindfolds import BLINDFOLDS
from tests.race.conftest import HERE, NESTED
from tests.race.looker import told

if TYPE_CHECKING:
    from tests.race.conftest import Farm, Grown, Plant

NOBODY = 65_534

RIGHTS = {
    "all": [],
    # Processes with more rights than ours cannot be inspected, as on a hardened computer.
    "hardened": ["setpriv", "--bounding-set=-sys_ptrace"],
    # Nor may the kernel be asked by a lease about a file of another user.
    "bare": ["setpriv", "--bounding-set=-sys_ptrace,-lease"],
    "contained": NESTED,
}
"""How a looker is started."""

MACHINE_CODE = bytes.fromhex(
    "b80900000031ffbe00100000ba0700000041ba2200000049c7c0ffffffff4531c9"  # mmap(0, 4096, rwx ...)
    "0f05"
    "4889c74889c3488d3509000000b95d000000f3a4ffe3"  # copy the rest there, and jump to it
    "b80b000000bf00004000be001000000f05"  # munmap(0x400000, 4096): its own file
    "4883ec08c6042472c644240165c644240261c644240364c644240479c64424050a"  # "ready\n" ...
    "b801000000bf010000004889e6ba060000000f05"  # ... write(1, it, 6)
    "31c031ff4889e6ba010000000f05"  # read(0, it, 1): waits for ever
    "b83c00000031ff0f05"  # exit(0)
)


def program() -> bytes:
    """A program for x86-64 that runs without having its file mapped: only ``exe`` shows it."""
    size = 120 + len(MACHINE_CODE)
    magic = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = struct.pack("<16sHHIQQQIHHHHHH", magic, 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    part = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 0x1000)
    return head + part + MACHINE_CODE


@dataclass(frozen=True)
class Scene:
    """One cache with one lock, and the farms that its holder may come from."""

    root: Path
    here: Farm
    plant: Plant

    def left_behind(self, name: str) -> Path:
        """A lock whose owner has really ended; what a holder can hold of it."""
        owner = self.here.grow("idle")
        owner.end()
        return self.put(name, owner.record())

    def put(self, name: str, record: dict[str, Any]) -> Path:
        path = self.root / name
        if path.suffix == ".dir":
            path.mkdir()
            (path / "owner.json").write_text(json.dumps(record))
            return path
        if path.suffix == ".info":
            path.with_suffix(".data").write_text("content")
        path.write_text(json.dumps(record) + " " * 4096)
        return path


@dataclass(frozen=True)
class Case:
    """``make`` puts the lock and its holder in place.  ``fact`` is what speaks of the holder, in
    these ``words``; ``how`` is what is told of it by its pid, empty where it cannot be named."""

    make: Callable[[Scene], Grown]
    fact: str
    words: str
    how: str = ""
    verdict: str = "held"
    rights: str = "all"


def holding(name: str, role: str, inside: str = "") -> Callable[[Scene], Grown]:
    return lambda scene: scene.here.grow(role, scene.left_behind(name) / inside)


def running(scene: Scene) -> Grown:
    if os.uname().machine != "x86_64":
        pytest.skip("the program is for x86-64")
    tool = scene.left_behind("work.dir") / "tool"
    tool.write_bytes(program())
    tool.chmod(0o755)
    return scene.here.grow("run", tool)


def locked(role: str) -> Callable[[Scene], Grown]:
    def make(scene: Scene) -> Grown:
        return scene.here.grow(role, scene.left_behind("work.info").with_suffix(".data"))

    return make


def inherited(scene: Scene) -> Grown:
    """The recorded owner is dead, and its child has the lock that it took."""
    path = scene.put("work.lock", {})
    one = scene.here.grow("inherit", "flock", path)
    scene.put("work.lock", one.record())
    return one


def owned(role: str, way: str = "here", uid: int = 0) -> Callable[[Scene], Grown]:
    """Its owner lives and has nothing open: only the record leads to it."""

    def make(scene: Scene) -> Grown:
        farm = scene.here if way == "here" else scene.plant(way)
        owner = farm.grow(role, uid=uid)
        scene.put("work.lock", owner.record())
        return owner

    return make


def foreign(scene: Scene) -> Grown:
    path = scene.left_behind("work.lock")
    os.chown(path, NOBODY, NOBODY)
    return scene.here.grow("open", path)


CASES = {
    "open": Case(holding("work.lock", "open"), "open-files", "In use", "open:read"),
    "open directory": Case(holding("work.dir", "open"), "open-files", "In use", "open:read"),
    "mapped": Case(holding("work.lock", "map"), "open-files", "In use", "mmap:read"),
    "cwd": Case(holding("work.dir", "cwd"), "open-files", "In use", "cwd"),
    "root": Case(holding("work.dir", "root"), "open-files", "In use", "root"),
    "exe": Case(running, "open-files", "In use", "exe"),
    "main thread ended": Case(holding("work.dir", "threads"), "open-files", "In use", "open:read"),
    "flock": Case(holding("work.lock", "flock"), "kernel-locks", "kernel lock", "lock:write"),
    "posix": Case(locked("posix"), "posix-lock", "(POSIX)", "lock:write"),
    "ofd": Case(locked("ofd"), "posix-lock", "(OFD)", "lock:write"),
    "inherited": Case(inherited, "kernel-locks", "kernel lock", "lock:write"),
    "stopped": Case(owned("stop"), "owner", "stopped", "stopped"),
    "other user": Case(owned("idle", uid=NOBODY), "owner", "runs", "nobody"),
    "other pid namespace": Case(owned("idle", way="nested"), "owner", "runs", "owner"),
    "hidden, open": Case(
        holding("work.lock", "open"), "sole-opener", "open somewhere", rights="hardened"
    ),
    "hidden, flock": Case(
        holding("work.dir", "flock"), "kernel-locks", "kernel lock", rights="hardened"
    ),
    "hidden, not to be asked": Case(
        foreign, "uninspected", "could not be inspected", verdict="unproven", rights="bare"
    ),
    "looked at from a container": Case(
        owned("idle"),
        "owner",
        "container whose processes do not show",
        verdict="unproven",
        rights="contained",
    ),
}


def seen(root: Path, rights: str, without: str = "") -> dict[str, Any]:
    """What a looker with these rights is told."""
    if rights == "all":
        return told(str(root))
    asked = json.dumps({"root": str(root), "without": without})
    command = [*RIGHTS[rights], sys.executable, str(HERE / "looker.py"), asked]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    if ran.returncode and subprocess.run([*RIGHTS[rights], "true"], check=False).returncode:
        pytest.skip(f"may not start a looker that is {rights}")
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def the_lock(answer: dict[str, Any]) -> dict[str, Any]:
    (lock,) = answer["locks"].values()
    return dict(lock)


def closed_for_its_reason(answer: dict[str, Any], case: Case, outer: int) -> bool:
    """Whether no click cleans it, and the reason that is told is the holder."""
    lock = the_lock(answer)
    speaks = "alive" if case.verdict == "held" else "unknown"
    reason = any(
        one[:2] == [case.fact, speaks] and case.words in one[2] for one in lock["evidence"]
    )
    told_of = case.how in lock["holders"].get(str(outer), []) if case.how else True
    said = (f"(pid {outer}" if case.how else case.words) in lock["explanation"]
    return answer["click"] == [] and lock["verdict"] == case.verdict and reason and told_of and said


def outer_pid(one: Grown) -> int:
    """The holder's pid as we see it, wherever its farm stands."""
    if not one.farm.counts_anew:
        return one.holder
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = Path("/proc", name, "status").read_text()
            if os.stat(f"/proc/{name}/ns/pid").st_ino != one.farm.who["pidns"]:
                continue
        except OSError:
            continue
        (line,) = (line for line in status.splitlines() if line.startswith("NSpid:"))
        if int(line.split()[-1]) == one.holder:
            return int(name)
    raise AssertionError("it does not run")


@pytest.fixture
def scene(tmp_path: Path, farm: Farm, plant: Plant, stranger: str) -> Scene:
    root = tmp_path / "cache"
    root.mkdir()
    (root / f"{stranger}.cache").touch()
    return Scene(root, farm, plant)


@pytest.mark.usefixtures("only_root")
@pytest.mark.parametrize("name", CASES)
def test_a_living_holder_closes_the_one_click_path(name: str, scene: Scene) -> None:
    case = CASES[name]
    holder = case.make(scene)
    answer = seen(scene.root, case.rights)
    assert closed_for_its_reason(answer, case, outer_pid(holder)), the_lock(answer)
    holder.end()
    rights = case.rights if case.verdict == "held" else "all"
    answer = seen(scene.root, rights)
    assert the_lock(answer)["verdict"] == "stale", the_lock(answer)
    assert len(answer["click"]) == 1


CAUGHT_BY = {
    "descriptors": ("open directory", True),
    "mappings": ("mapped", False),
    "cwd": ("cwd", True),
    "root": ("root", True),
    "exe": ("exe", False),
    "threads": ("main thread ended", True),
    "lock table": ("hidden, flock", True),
    "lock owners": ("ofd", False),
    "asking": ("posix", True),
    "sole opener": ("hidden, open", True),
    "count": ("hidden, not to be asked", True),
    "hiding": ("looked at from a container", True),
    "owner": ("stopped", True),
    "inner pids": ("other pid namespace", True),
}
"""The case that fails without each sense, and whether one click would clean a living holder's
lock then.  Else the kernel's word on who has a file open is left, and nobody is named."""


@pytest.mark.usefixtures("only_root")
@pytest.mark.parametrize("sense", BLINDFOLDS)
def test_without_any_one_sense_a_case_fails(
    sense: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, cleaned = CAUGHT_BY[sense]
    case = CASES[name]
    holder = case.make(scene)
    outer = outer_pid(holder)
    if case.rights == "all":
        BLINDFOLDS[sense](monkeypatch.setattr)
    answer = seen(scene.root, case.rights, sense)
    assert not closed_for_its_reason(answer, case, outer), the_lock(answer)
    assert (len(answer["click"]) == 1) is cleaned, the_lock(answer)
