"""Real processes for races: farms of them, contenders for locks, and who breaks the locks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

HERE = Path(__file__).parent
QUICK = [sys.executable, "-S", "-E", "-s"]
"""Python without site packages: what is run with it starts in a few hundredths of a second."""
NESTED = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
COVER = 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'
WAYS = {
    "here": [],
    "nested": NESTED,
    "nested twice": [*NESTED, *NESTED],
    "users of its own": [*NESTED, "--user", "--map-root-user"],
    "a clock of its own": ["unshare", "--time", "--boottime", "100000", "--fork", "--kill-child"],
    # As systemd-nspawn does: the machine's id and, for every container, another boot id.
    "a boot id of its own": [*NESTED, "sh", "-c", COVER, "sh", "BOOT"],
}
"""Where a farm can stand, and how it is entered."""


@dataclass(frozen=True)
class Grown:
    """One process of a farm.  ``pid`` and ``start`` are those of the process that was started,
    as the farm sees them; ``holder`` is the process that holds things: its child, if that was
    its role."""

    farm: Farm
    pid: int
    start: int
    holder: int

    def record(self) -> dict[str, Any]:
        """Its whole identity, as a lock's record tells it."""
        return {**self.farm.who, "pid": self.pid, "start": self.start, "id": f"lock-{self.pid}"}

    def end(self) -> None:
        self.farm.ask(do="end", pid=self.holder)

    def become_a_zombie(self) -> None:
        self.farm.ask(do="zombie", pid=self.holder)


class Farm:
    """A farm that runs (``farm.py``); ``who`` is what records say of all its processes."""

    def __init__(self, way: str, enter: list[str]) -> None:
        self.way = way
        command = [*enter, *QUICK, str(HERE / "farm.py")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.who: dict[str, Any] = self.ask(do="who")
        self.counts_anew: bool = self.who["pidns"] != os.stat("/proc/self/ns/pid").st_ino

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def grow(self, *role: str | Path, uid: int = 0, pid: int = 0) -> Grown:
        """A new process with this role (``farm.ROLES``), once it has taken it up."""
        answer = self.ask(do="spawn", role=[str(one) for one in role], uid=uid, pid=pid)
        return Grown(self, **answer)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Plant(Protocol):
    def __call__(self, way: str = "here") -> Farm: ...


@pytest.fixture
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Start a farm, here or in one of the kinds of container (``WAYS``)."""
    boot = tmp_path_factory.mktemp("farm") / "boot_id"
    boot.write_text(f"{uuid.uuid4()}\n")
    with ExitStack() as started:

        def start(way: str = "here") -> Farm:
            enter = [str(boot) if one == "BOOT" else one for one in WAYS[way]]
            if enter and subprocess.run([*enter, "true"], check=False).returncode:
                pytest.skip(f"may not make a container ({way})")
            farm = Farm(way, enter)
            started.callback(farm.close)
            return farm

        yield start


@pytest.fixture
def farm(plant: Plant) -> Farm:
    return plant()


@contextmanager
def script(name: str, *arguments: str, quick: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A script of this folder that says ``ready``; its input is closed at the end of the
    block, which ends it."""
    command = [*(QUICK if quick else [sys.executable]), str(HERE / name), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.kill()


@pytest.fixture
def script_of_this_folder() -> Callable[..., Any]:
    return script
