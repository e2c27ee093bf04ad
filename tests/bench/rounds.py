"""Run ours and its peers in turn, so that whatever else the machine does hits all alike."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: medians of wall-clock times; ``memory_bytes`` is the peak of our largest
    process, ``ratio`` ours by the peer's (below 1: we are faster)."""

    work: str
    ours: float
    peer_name: str
    peer: float
    ratio: float
    unit: str
    runs: int
    memory_bytes: int


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def command(*arguments: str | Path) -> Callable[[], object]:
    """A peer as a process, its output thrown away."""

    def run() -> None:
        subprocess.run([str(one) for one in arguments], stdout=subprocess.DEVNULL, check=True)

    return run


def shell(line: str, place: Path) -> Callable[[], object]:
    """A peer as people type it, with ``$1`` for the place."""
    return command("sh", "-c", line, "sh", place)


def compare(
    work: str,
    ours: Callable[[], object],
    alone: Sequence[str | Path],
    peers: Mapping[str, Callable[[], object]],
    runs: int,
) -> list[Row]:
    """Everything once to warm up, then ``runs`` rounds of everything in turn.

    ``alone`` is a command that does ours once, for its memory.
    """
    everything = {"": ours, **peers}
    for run in everything.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in everything}
    for _ in range(runs):
        for name, run in everything.items():
            times[name].append(seconds(run))
    mine, memory = median(times.pop("")), peak(alone)
    return [
        Row(work, mine, name, median(taken), mine / median(taken), "s", runs, memory)
        for name, taken in times.items()
    ]


def peak(arguments: Sequence[str | Path]) -> int:
    """Peak resident bytes of a command's largest process."""
    process = subprocess.Popen([str(one) for one in arguments])
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments[0])
    return usage.ru_maxrss * 1024
