from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cachewright.holders.processes import Process, boot_id, pid_namespace

STRANGER = Path(__file__).parents[2] / "stranger"

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def stranger() -> dict[str, str]:
    """An environment in which a stranger's format is installed."""
    return {"PYTHONPATH": str(STRANGER)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A cache with one lock that says nothing of its owner but an ID."""
    root = tmp_path / "cache"
    root.mkdir()
    (root / "stranger.cache").touch()
    (root / "build.lock").write_text(json.dumps({"id": "build-1"}))
    return root


def told(ran: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def test_the_id_releases_the_lock_and_undo_brings_it_back(
    command: Command, place: Path, stranger: dict[str, str]
) -> None:
    lock = place / "build.lock"
    before = lock.read_bytes(), lock.stat().st_ino
    ran = command("unlock", place, "build-1", "--confirm", "build-1", "--json", env=stranger)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (one,) = told(ran)["outcomes"]
    assert (one["step"], one["result"]) == ("quarantine-lock", "done")
    assert not lock.exists()
    assert command("undo", one["undo"], env=stranger).returncode == 0
    assert (lock.read_bytes(), lock.stat().st_ino) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("build-2", "--confirm", "build-2"),
        ("build-1", "--confirm", "build-2"),
        ("build-1", "--confirm", ""),
        ("build-1",),
    ],
)
def test_nothing_else_does(
    command: Command, place: Path, stranger: dict[str, str], arguments: tuple[str, ...]
) -> None:
    ran = command("unlock", place, *arguments, "--json", env=stranger)
    assert ran.returncode == 4
    assert (place / "build.lock").exists()
    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize(("answer", "code"), [("build-1", 0), ("yes", 4), ("", 4)])
def test_on_a_terminal_the_evidence_is_shown_and_the_id_typed(
    place: Path, environment: dict[str, str], stranger: dict[str, str], answer: str, code: int
) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "cachewright", "unlock", str(place), "build-1"],
        env={**environment, **stranger},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        shown = read_until(master, b"> ")
        os.write(master, answer.encode() + b"\n")
        shown += read_until(master, None)
        assert process.wait(60) == code
    os.close(master)
    assert b"Type build-1 to confirm" in shown
    assert b"build.lock" in shown.partition(b"Type build-1")[0]
    assert (place / "build.lock").exists() is bool(code)


def read_until(master: int, mark: bytes | None) -> bytes:
    """What the terminal shows, up to ``mark`` or to the program's end."""
    seen = b""
    deadline = time.monotonic() + 60
    while mark is None or mark not in seen:
        assert time.monotonic() < deadline
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    return seen


def test_one_look_decides_what_watching_must_leave_open(
    command: Command, place: Path, stranger: dict[str, str]
) -> None:
    """Where some process cannot be inspected the kernel is asked, as by a check."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        with Process(owner.pid) as seen:
            started = seen.stat().start_ticks
        owner.communicate(b"\n")
    record = {
        "id": "build-1",
        "boot": boot_id(),
        "pidns": pid_namespace(),
        "pid": owner.pid,
        "start": started,
    }
    (place / "build.lock").write_text(json.dumps(record))
    (lock,) = told(command("locks", place, "--json", env=stranger))["locks"]
    assert (lock["id"], lock["verdict"]) == ("build-1", "stale"), lock["explanation"]
