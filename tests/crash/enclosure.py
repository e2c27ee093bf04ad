"""A part of the harness by itself: in a process whose mounts and processes nobody else has.

What is mounted there vanishes with it, however it ends.  And looking around at all processes is
short and always the same there, so that the n-th call of a run is the n-th call of the next.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.counts import Row

TOP: Final = Path(__file__).parents[2]
_ENCLOSED: Final = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")


def may_enclose() -> bool:
    """Whether this kernel or container lets us have mounts and processes of our own."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_ENCLOSED, "true"], check=False, capture_output=True).returncode == 0


def enclosed(module: str, *arguments: str, apart: bool = True) -> list[Row]:
    """Run ``python -m MODULE ARGUMENTS``, enclosed if ``apart``; the rows that it prints."""
    return ended(started(module, *arguments, apart=apart))


def started(module: str, *arguments: str, apart: bool = True) -> subprocess.Popen[str]:
    """As ``enclosed``, without waiting for its end: see ``ended``."""
    here = [*(_ENCLOSED if apart else ()), sys.executable, "-m", module, *arguments]
    # Hashes of names are the same in every run, so the order of calls is too.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.Popen(here, cwd=TOP, env=environment, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> list[Row]:
    """The rows that a started part prints, when it has ended."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return [Row(**row) for row in json.loads(said)]


def say(rows: Sequence[Row]) -> None:
    """What ``enclosed`` reads."""
    json.dump([vars(row) for row in rows], sys.stdout)
