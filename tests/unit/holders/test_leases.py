"""The sole-opener probe against real openers, and that it harms nobody."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachewright import holders

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

WAYS = {
    "reader": "f = open(sys.argv[1], 'rb'); ready()",
    "writer": "f = open(sys.argv[1], 'r+b'); ready()",
    "reading map": "bare_mmap(sys.argv[1], False); ready()",
    "writing map": "bare_mmap(sys.argv[1], True); ready()",
    "in flight": """
import socket
one, two = socket.socketpair()
f = open(sys.argv[1], 'rb')
socket.send_fds(one, [b'x'], [f.fileno()])
f.close(); ready()
""",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 4096)
    return file


def ask(place: Path) -> bool | None:
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return holders.sole_opener(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("way", WAYS)
def test_another_opener_is_noticed(way: str, place: Path, other: Starter) -> None:
    assert ask(place) is True
    one = other(WAYS[way], place)
    assert ask(place) is False
    one.end()
    assert ask(place) is True


def test_a_running_program_is_noticed(tmp_path: Path) -> None:
    program = Path(shutil.copy(shutil.which("cat") or "", tmp_path / "tool"))
    assert ask(program) is True
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        running.stdin.write(b"\n")
        running.stdin.flush()
        running.stdout.readline()
        assert ask(program) is False
        running.stdin.close()
    assert ask(program) is True


def test_it_works_from_any_thread(place: Path) -> None:
    answers: list[bool | None] = []
    thread = threading.Thread(target=lambda: answers.append(ask(place)))
    thread.start()
    thread.join()
    assert answers == [True]


def test_no_lease_is_left_behind(place: Path) -> None:
    fd = os.open(place, os.O_RDONLY)
    assert holders.sole_opener(fd) is True
    assert fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_UNLCK
    os.close(fd)


def test_what_has_no_leases_is_unknown(tmp_path: Path) -> None:
    assert ask(tmp_path) is None


@pytest.mark.usefixtures("only_root")
def test_without_the_right_it_is_unknown(place: Path) -> None:
    code = """
import os, sys
from cachewright import holders
fd = os.open(sys.argv[1], os.O_RDONLY)
assert holders.sole_opener(fd) is True
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(holders.sole_opener(fd))
"""
    said = subprocess.run([sys.executable, "-c", code, place], check=True, capture_output=True)
    assert said.stdout == b"None\n"


def test_who_opens_meanwhile_is_not_harmed_and_nor_are_we(place: Path, other: Starter) -> None:
    """The kernel signals the holder of a lease that is in the way, by default with SIGIO."""
    opener = """
import threading, time
done = threading.Event()
def open_always():
    while not done.is_set():
        open(sys.argv[1], 'rb').close()
        time.sleep(0.00005)
thread = threading.Thread(target=open_always)
thread.start()
ready(); done.set(); thread.join()
"""
    probing = """
import os, sys
from cachewright import holders
answers = set()
for _ in range(30000):
    fd = os.open(sys.argv[1], os.O_RDONLY)
    answers.add(holders.sole_opener(fd))
    os.close(fd)
print(sorted(answers))
"""
    one = other(opener, place)
    said = subprocess.run([sys.executable, "-c", probing, place], check=False, capture_output=True)
    assert (said.returncode, said.stdout) == (0, b"[False, True]\n")
    one.end()
    assert one.process.returncode == 0


def ask_for_writers(place: Path) -> bool | None:
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return holders.no_writer(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("way", WAYS)
def test_only_who_may_write_is_a_writer(way: str, place: Path, other: Starter) -> None:
    assert ask_for_writers(place) is True
    one = other(WAYS[way], place)
    assert ask_for_writers(place) is ("writ" not in way)
    one.end()
    assert ask_for_writers(place) is True


def test_asking_for_writers_leaves_no_lease_behind(place: Path) -> None:
    fd = os.open(place, os.O_RDONLY)
    assert holders.no_writer(fd) is True
    assert fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_UNLCK
    os.close(fd)
