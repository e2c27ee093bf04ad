"""Write down the history of every disk, all in one run of the small machine."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.crash.enclosure import TOP
from tests.crash.power.setting import Capture
from tests.crash.vm import machine
from tests.crash.vm.initrd import Job
from tests.crash.vm.kernel import kept, unpacked
from tests.crash.vm.packages import require

_LOG_BYTES: Final = 1 << 30
_LIMIT_S: Final = 2400.0
_TOOLS: Final = ("dmsetup", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "unshare")


def log_of(capture: Capture, place: Path) -> Path:
    return place / f"{capture.name}.log"


def witnesses_of(capture: Capture, place: Path) -> Path:
    return place / "machine" / "results" / f"{capture.name}.json"


def capture_all(captures: Sequence[Capture], place: Path) -> None:
    """Play every scenario; afterwards ``log_of`` and ``witnesses_of`` are there.  Bounded in
    time; raises ``Missing`` or ``MachineFailed``."""
    require(_TOOLS)
    disks: dict[str, Path] = {}
    for one in captures:
        one.top(place).mkdir()
        disks[f"{one.name}-disk"] = machine.sparse(place / f"{one.name}.disk", one.kind.size)
        disks[f"{one.name}-log"] = machine.sparse(log_of(one, place), _LOG_BYTES)
    within = place / "machine"
    within.mkdir()
    with kept() as folder:
        machine.run(_job(captures, place), unpacked(folder), within, disks=disks, limit_s=_LIMIT_S)
    for one in captures:
        (place / f"{one.name}.disk").unlink()


def _job(captures: Sequence[Capture], place: Path) -> Job:
    module = [sys.executable, "-m", "tests.crash.power.guest", os.fspath(place)]
    script = " && ".join(shlex.join([*module, one.name]) for one in captures)
    return Job(["sh", "-c", script], TOP, {"PYTHONPATH": os.fspath(TOP / "core")})
