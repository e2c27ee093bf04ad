"""Who holds what among 400 processes: our one look beside lsof, fuser and lslocks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import crowd
from tests.bench.rounds import Row, compare

from cachewright import holders
from cachewright.inventory.tree import scan_subtree
from cachewright.storage.anchored import Directory


@dataclass(frozen=True, slots=True)
class Crowd:
    """A cache that many processes hold; ``owners`` are those that own OFD locks."""

    cache: Path
    descriptors: int
    owners: frozenset[int]


@contextmanager
def crowded(top: Path, processes: int) -> Iterator[Crowd]:
    """A crowd that lives while the block runs."""
    cache, elsewhere = top / "cache", top / "elsewhere"
    command = [sys.executable, "-I", "-S", crowd.__file__, cache, elsewhere, str(processes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            descriptors, *owners = map(int, running.stdout.readline().split())
            yield Crowd(cache, descriptors, frozenset(owners))
        finally:
            running.stdin.close()
            running.wait()


def looking(cache: Path) -> Callable[[], set[int]]:
    """One look as the locks of an open cache are looked at, with everybody in it named.

    The call gives the owners of OFD locks.
    """
    with Directory.open(os.fsencode(cache)) as root:
        tree = scan_subtree(root)
        prefix, devices = root.path, frozenset({root.identity.device})

    def run() -> set[int]:
        survey, kernel = holders.look_around(
            [prefix], devices, wanted=lambda *place: tree.where(*place) is not None
        )
        named = {one.pid for one in survey.of((), prefix)}
        return named & {pid for lock in kernel if lock.kind == "ofd" for pid in lock.pids}

    return run


@dataclass(frozen=True, slots=True)
class _Peer:
    """A tool, and the lines by which it names a process together with a lock: the pattern's
    only group is the pid."""

    name: str
    command: Sequence[str | Path]
    owner: re.Pattern[str]

    def run(self) -> str:
        """Its output; such tools end with 1 where some process could not be asked."""
        done = subprocess.run(list(self.command), check=False, capture_output=True, text=True)
        if done.returncode not in {0, 1}:
            raise subprocess.CalledProcessError(done.returncode, done.args, stderr=done.stderr)
        return done.stdout

    def owners(self) -> set[int]:
        return {int(pid) for pid in self.owner.findall(self.run())}


def _peers(cache: Path) -> Iterator[_Peer]:
    lsof = re.compile(r"(?m)^\S+ +(\d+) +\S+ +\d+[ruw-][RrWwUu]")
    yield _Peer("lsof -nPlw +D", ["lsof", "-nPlw", "+D", cache], lsof)
    shell = ["sh", "-c", 'fuser "$1"/* "$1"/*/* 2>/dev/null', "sh", cache]
    yield _Peer("fuser DIR/*", shell, re.compile(r"(\d+)L"))
    yield _Peer("lslocks", ["lslocks"], re.compile(r"(?m)^\S+ +(\d+) +OFDLCK"))


def measure_holders(top: Path, processes: int, runs: int) -> list[Row]:
    """Every row says how many of the owners of OFD locks are named as such."""
    with crowded(top, processes) as seen:
        ours = looking(seen.cache)
        peers = [one for one in _peers(seen.cache) if shutil.which(one.command[0])]
        work = f"{processes} processes, {seen.descriptors} files: {_told(ours(), seen)}"
        return compare(
            work,
            ours,
            [sys.executable, "-m", "tests.bench", "--only", "holders", seen.cache],
            {f"{one.name}: {_told(one.owners(), seen)}": one.run for one in peers},
            runs,
        )


def _told(owners: set[int], seen: Crowd) -> str:
    return f"{len(owners & seen.owners)} of {len(seen.owners)} OFD owners"
