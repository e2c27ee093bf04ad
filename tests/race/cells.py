"""Run the busy halves of a race as processes of their own, several at once.

Each gets a pid namespace where that is allowed: the real look at every process is quick where
only the race itself lives.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

TOP: Final = Path(__file__).parents[2]
_WITH_US: Final = ["setpriv", "--pdeathsig", "KILL"]
_APART: Final = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - only where a scratch directory is made

Counts = dict[str, Any]


def run(module: str, *asked: Mapping[str, Any]) -> list[Counts]:
    """What the module's processes say at their ends, one for each request, all at once."""
    with ExitStack() as started:
        processes = [started.enter_context(_started(module, one)) for one in asked]
        return [_said(process) for process in processes]


def serve(answer: Callable[..., Counts]) -> None:
    """The other side: a module run by ``run`` answers its one request."""
    print(json.dumps(answer(**json.loads(sys.argv[1]))), flush=True)


@contextmanager
def _started(module: str, asked: Mapping[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    command = [*_WITH_US, *_enter(), sys.executable, "-m", module, json.dumps(asked)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TOP) as process:
        try:
            yield process
        finally:
            process.kill()


def _said(process: subprocess.Popen[bytes]) -> Counts:
    said, _nothing = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    counts: Counts = json.loads(said)
    return counts


def _enter() -> list[str]:
    refused = subprocess.run([*_APART, "true"], check=False, capture_output=True).returncode
    return [] if refused else _APART


def shares(total: int, busy: int = 1) -> list[int]:
    """``total`` in as many parts as have ``busy`` processors each."""
    count = max(1, (os.cpu_count() or 1) // busy)
    return [total // count + (part < total % count) for part in range(count)]


def added(counts: Sequence[Counts]) -> Counts:
    """Every count of all of them, added up."""
    return {name: sum(one[name] for one in counts) for name in counts[0]}


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory in memory where there is such a place: nothing here is about disks."""
    top = Path(tempfile.mkdtemp(prefix="race-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        yield top
    finally:
        shutil.rmtree(top)
