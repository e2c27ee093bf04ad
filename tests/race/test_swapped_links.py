"""An attacker swaps a directory and a link for as long as we work below it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cachewright.errors import CachewrightError
from cachewright.storage import beneath
from cachewright.storage.anchored import Directory
from cachewright.storage.removal import remove_tree

ATTACKER = """
import os, sys
os.chdir(sys.argv[1])
print("ready", flush=True)
while True:
    try:
        os.rename("tree/d", "tree/aside"); os.symlink(sys.argv[2], "tree/d")
        os.unlink("tree/d"); os.rename("tree/aside", "tree/d")
    except OSError:
        try:
            os.unlink("tree/d")
        except OSError:
            pass
        try:
            os.rename("tree/aside", "tree/d")
        except OSError:
            pass
"""
SECONDS = 0.7


@pytest.fixture(params=["openat2", "by component"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "by component":
        monkeypatch.setattr(beneath, "has_openat2", lambda: False)
    return str(request.param)


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[tuple[Directory, Path]]:
    (tmp_path / "tree" / "d" / "e").mkdir(parents=True)
    (tmp_path / "tree" / "d" / "e" / "f").write_bytes(b"inside")
    outside = tmp_path / "outside"
    (outside / "e").mkdir(parents=True)
    (outside / "e" / "f").write_bytes(b"canary")
    command = [sys.executable, "-I", "-S", "-c", ATTACKER, str(tmp_path), str(outside)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as attacker:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == b"ready\n"
        try:
            with Directory.open(os.fsencode(tmp_path)) as root:
                yield root, outside
        finally:
            attacker.kill()


def tries(act: Callable[[], object]) -> None:
    """Do it again and again while the names are being swapped, until it got through once at
    least, however busy the computer is."""
    until, reached = time.monotonic() + SECONDS, 0
    while time.monotonic() < until or not reached:
        try:
            act()
        except (OSError, CachewrightError):
            continue
        reached += 1


@pytest.mark.usefixtures("way")
def test_reading_never_leads_outside(attacked: tuple[Directory, Path]) -> None:
    root, _outside = attacked
    seen = set()
    tries(lambda: seen.add(root.read(b"tree/d/e/f", 10)))
    assert seen == {b"inside"}


@pytest.mark.usefixtures("way")
def test_removing_never_leads_outside(attacked: tuple[Directory, Path]) -> None:
    root, outside = attacked

    def fill_and_remove() -> None:
        with root.open_directory(b"tree") as tree:
            for _ in range(3):
                tree.make_directory(b"d%d" % time.monotonic_ns()).close()
        remove_tree(root, b"tree")

    def once() -> None:
        try:
            fill_and_remove()
        finally:
            os.makedirs(os.path.join(root.path, b"tree", b"d", b"e"), exist_ok=True)

    tries(once)
    assert (outside / "e" / "f").read_bytes() == b"canary"


def test_the_attack_would_work_on_paths(attacked: tuple[Directory, Path]) -> None:
    """The harness is no dud: reading by path does follow the swapped link."""
    root, _outside = attacked
    seen = set()

    def by_path() -> None:
        with open(os.path.join(root.path, b"tree/d/e/f"), "rb") as file:
            seen.add(file.read())

    tries(by_path)
    assert b"canary" in seen
