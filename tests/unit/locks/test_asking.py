"""Asking for POSIX and OFD locks."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachewright.locks.asking import Answer, ask

if TYPE_CHECKING:
    from tests.unit.conftest import Starter


@pytest.fixture
def place(tmp_path: Path) -> Path:
    file = tmp_path / "lock"
    file.touch()
    return file


@pytest.mark.parametrize(
    ("take", "write", "named"),
    [
        ("lock(f.fileno(), fcntl.F_SETLK)", True, True),
        ("lock(f.fileno(), fcntl.F_SETLK, fcntl.F_RDLCK)", False, True),
        ("lock(f.fileno(), fcntl.F_OFD_SETLK)", True, False),
    ],
)
def test_what_another_holds_is_told(
    take: str, write: bool, named: bool, place: Path, other: Starter
) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {take}; ready()", place)
    with place.open("rb") as file:
        assert ask(file.fileno()) == Answer(False, write, one.pid if named else -1)
        one.end()
        assert ask(file.fileno()) == Answer(free=True)


def test_our_own_lock_is_told(place: Path) -> None:
    """``F_GETLK`` would say free: for that, a lock of one's own is not in the way."""
    with place.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert ask(file.fileno()) == Answer(False, True, os.getpid())


def test_a_flock_is_not_seen(place: Path) -> None:
    with place.open("rb") as file, place.open("rb") as asking:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert ask(asking.fileno()) == Answer(free=True)


def test_what_cannot_answer_says_nothing() -> None:
    fd = os.open("/", os.O_PATH)
    assert ask(fd) is None
    os.close(fd)
