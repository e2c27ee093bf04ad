"""Looking at locks disturbs nobody: programs that never wait for a lock get theirs every time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.race.conftest import script

KINDS = ("flock", "posix", "ofd", "file")
LOOKS = {"ours": 40, "locking": 400, "leasing": 400}
ROUNDS = {"ours": 1, "locking": 20, "leasing": 20}
CHANGES = 4
"""How often the command has to show something new while the programs are at work."""


@pytest.fixture
def place(tmp_path: Path, stranger: str) -> Path:
    root = tmp_path / "cache"
    root.mkdir()
    (root / f"{stranger}.cache").touch()
    for kind in KINDS[:3]:
        (root / f"work.{kind}").touch()
    return root


def failures(place: Path, meanwhile: Callable[[], object]) -> dict[str, Any]:
    """What failed in one program per kind, all at work at once; ``meanwhile`` is done while
    they are, and each goes on until it is done."""
    with ExitStack() as started:
        takers = [
            started.enter_context(script("taker.py", kind, str(place), quick=True))
            for kind in KINDS
        ]
        meanwhile()
        told = [json.loads(taker.communicate()[0]) for taker in takers]
    print({kind: one["times"] for kind, one in zip(KINDS, told, strict=True)}, "times")
    return dict(zip(KINDS, (one["failed"] for one in told), strict=True))


@pytest.mark.parametrize(
    ("way", "disturbed"),
    [("ours", set()), ("locking", {"flock", "posix", "ofd"}), ("leasing", {"file"})],
)
def test_who_looks_as_fast_as_it_can_disturbs(way: str, disturbed: set[str], place: Path) -> None:
    """The other two ways show that a disturbance would be seen; by chance one round may pass."""
    seen: dict[str, Any] = {}
    for _round in range(ROUNDS[way]):
        with script("beholder.py", way, str(place), str(LOOKS[way])) as beholder:
            assert beholder.stdout is not None
            failed = failures(place, beholder.stdout.readline)
            beholder.communicate()
        seen |= {kind: some for kind, some in failed.items() if some}
        if way != "ours" and set(seen) == disturbed:
            break
    assert set(seen) == disturbed, seen


@pytest.fixture
def watching(place: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "cachewright", "locks", str(place), "--watch"]
    command += ["--format", "stranger"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_the_command_that_watches_disturbs_nobody(
    place: Path, watching: subprocess.Popen[str]
) -> None:
    shown: list[str] = []

    def until_it_showed_changes() -> None:
        assert watching.stdout is not None
        while len(shown) < CHANGES:
            line = watching.stdout.readline()
            assert line, "it ended"
            if "work.flock" in line:  # told whenever anything changed
                shown.append(line)

    failed = failures(place, until_it_showed_changes)
    assert failed == {kind: {} for kind in KINDS}
