"""Inside the small machine: do every scenario on a disk whose every write is written down.

Run as ``python -m tests.crash.power.guest PLACE CAPTURE``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crash.listing import World
from tests.crash.power.setting import (
    CAPTURES,
    Capture,
    Witness,
    as_json,
    begin,
    rest,
    told,
)
from tests.crash.vm.initrd import DISKS, RESULTS

_LONGEST_WRITE_BACK_S = 6


def main(place: Path, name: str) -> None:
    (capture,) = (one for one in CAPTURES if one.name == name)
    _write_back_soon()
    with _written_down(capture) as device, _mounted(capture, device, capture.top(place)):
        if not capture.durable:
            _make_nothing_durable()
        witnesses = [_played(capture, place, n) for n in range(len(capture.scenarios))]
    path = Path(RESULTS) / f"{capture.name}.json"
    path.write_text(json.dumps([as_json(one) for one in witnesses]))


def _write_back_soon() -> None:
    """What nobody makes durable reaches the disk after a second, not after thirty."""
    settings = {"dirty_expire_centisecs": 100, "dirty_writeback_centisecs": 50}
    for name, value in settings.items():
        Path(f"/proc/sys/vm/{name}").write_text(str(value))


def _make_nothing_durable() -> None:
    """The control: as if whoever wrote Cachewright had never heard of power cuts."""
    os.fsync = lambda _fd: None  # type: ignore[assignment]
    os.fdatasync = lambda _fd: None  # type: ignore[assignment]


@contextmanager
def _written_down(capture: Capture) -> Iterator[str]:
    _run("modprobe", "-a", "dm-log-writes", capture.kind.name)
    disk, log = (f"{DISKS}/{capture.name}-{what}" for what in ("disk", "log"))
    sectors = capture.kind.size // 512
    table = f"0 {sectors} log-writes {os.path.realpath(disk)} {os.path.realpath(log)}"
    _run("dmsetup", "create", capture.name, "--noudevsync", "--noudevrules", "--table", table)
    _run("dmsetup", "mknodes")
    try:
        yield f"/dev/mapper/{capture.name}"
    finally:
        _run("dmsetup", "remove", "--noudevsync", capture.name)


@contextmanager
def _mounted(capture: Capture, device: str, top: Path) -> Iterator[None]:
    kind = capture.kind
    _run(*kind.make, device)
    top.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", kind.name, "-o", kind.options, device, os.fspath(top))
    try:
        yield
    finally:
        _run("umount", os.fspath(top))


def _played(capture: Capture, place: Path, number: int) -> Witness:
    """One scenario, from a stage that is all written to one that is all written."""
    scenario, stage = capture.scenarios[number], capture.stage(place, number)
    stage.clear()
    scenario.make(stage)
    with scenario.ready(stage) as act:
        before = World.of(stage)
        os.sync()
        _mark(capture, begin(number))
        outcomes = act()
        _mark(capture, told(number))
        after = World.of(stage)
    if [one.result.value for one in outcomes] != ["done"]:
        raise AssertionError(f"{scenario.name} was not done: {outcomes}")
    if number == len(capture.scenarios) - 1:
        time.sleep(_LONGEST_WRITE_BACK_S)
    os.sync()
    _mark(capture, rest(number))
    sys.stderr.write(f"{capture.name}: {scenario.name}\n")
    return Witness(before, after)


def _mark(capture: Capture, name: str) -> None:
    _run("dmsetup", "message", capture.name, "0", "mark", name)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
