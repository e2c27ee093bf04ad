"""What writes in place: a record, and a file's mode."""

from __future__ import annotations

import stat
from contextlib import ExitStack
from pathlib import Path

from tests.race.acts.finding import Act
from tests.race.arena import Arena

from cachewright.model import StepKind
from cachewright.text import encode_name


def rewrite(arena: Arena, stack: ExitStack) -> Act:
    record = record_of(arena)
    bench = stack.enter_context(arena.bench())
    step = StepKind.DROP_POISONED_CHECKSUM
    plan = bench.plan_of(step, record, detail={"drop": "poison\n"})
    return lambda: bench.run(plan)[0]


def read_and_write(arena: Arena, _stack: ExitStack) -> Act:
    record = record_of(arena)
    return lambda: record.write_bytes(record.read_bytes().replace(b"poison\n", b""))


def record_of(arena: Arena) -> Path:
    path = arena.top / "project" / "record"
    path.parent.mkdir()
    path.write_bytes(b"good line\npoison\n")
    return path


def spoilt(arena: Arena, _done: bool) -> bool:
    """The record is neither the old one nor the new one, wherever the attackers left it, or
    what they put in its place was thrown away."""
    names = ("project/record", "gone-0", "gone-0/record")
    files = [path for path in map(arena.top.joinpath, names) if path.is_file()]
    good = {b"good line\npoison\n", b"good line\n"}
    whole = any(path.read_bytes() in good for path in files if not path.is_symlink())
    return not whole or not any(path.is_symlink() for path in arena.top.rglob("*"))


def restore_exec_bit(arena: Arena, stack: ExitStack) -> Act:
    bench = stack.enter_context(arena.bench())
    detail = {"files": [encode_name(b"run")]}
    plan = bench.plan_of(StepKind.RESTORE_EXEC_BIT, "good", detail=detail)
    return lambda: bench.run(plan)[0]


def chmod(arena: Arena, _stack: ExitStack) -> Act:
    """Files with one name are chosen first, and then changed by path."""
    entry = arena.cache / "good"

    def act() -> None:
        found = {path: path.lstat() for path in sorted(entry.rglob("*"), reverse=True)}
        for path, status in found.items():
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                path.chmod(status.st_mode | stat.S_IXUSR)

    return act
