"""Kernel locks of other processes: all of them, with all their owners."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachewright import holders
from cachewright.holders import KernelLock
from cachewright.holders.lock_table import parse_line
from cachewright.holders.mounts import mount_of

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

Until = Callable[[Callable[[], object]], None]

TAKE = {
    "posix": "lock(f.fileno(), fcntl.F_SETLK)",
    "ofd": "lock(f.fileno(), fcntl.F_OFD_SETLK)",
    "flock": "fcntl.flock(f, fcntl.LOCK_EX)",
    "lease": "fcntl.fcntl(f.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    file = tmp_path / "lock"
    file.touch()
    return file


def on(place: Path) -> list[KernelLock]:
    inode = place.stat().st_ino
    return [lock for lock in holders.kernel_locks() if lock.inode == inode]


def kernels_device(place: Path) -> int:
    """The number in the kernel's tables: on btrfs not that of ``stat``."""
    with place.open("rb") as file:
        mount = mount_of(file.fileno())
    assert mount is not None
    return mount.device


@pytest.mark.parametrize("kind", TAKE)
def test_each_kind_is_named_with_its_owner(kind: str, place: Path, other: Starter) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE[kind]}; ready()", place)
    (lock,) = on(place)
    assert (lock.kind, lock.pids, lock.write) == (kind, (one.pid,), True)
    assert (lock.device, lock.start, lock.end) == (kernels_device(place), 0, None)
    one.end()
    assert on(place) == []


def test_a_read_lock_on_a_range(place: Path, other: Starter) -> None:
    one = other("f = open(sys.argv[1]); fcntl.lockf(f, fcntl.LOCK_SH, 5, 10); ready()", place)
    (lock,) = on(place)
    assert (lock.kind, lock.pids, lock.write) == ("posix", (one.pid,), False)
    assert (lock.start, lock.end) == (10, 14)


@pytest.mark.parametrize("kind", ["flock", "ofd"])
def test_every_heir_of_a_lock_is_an_owner(kind: str, place: Path, other: Starter) -> None:
    code = f"""
f = open(sys.argv[1], 'r+'); {TAKE[kind]}
child = os.fork()
ready(child) if child else sys.stdin.readline()
"""
    one = other(code, place)
    (lock,) = on(place)
    assert lock.pids == tuple(sorted([one.pid, int(one.said[0])]))


def test_a_lock_outlives_the_process_that_took_it(
    place: Path, other: Starter, until: Until
) -> None:
    """The table goes on naming the dead one; the child that has the lock is who counts."""
    code = """
f = open(sys.argv[1], 'r+'); fcntl.flock(f, fcntl.LOCK_EX)
child = os.fork()
if child:
    print('ready', child, flush=True)
    os._exit(0)
sys.stdin.readline()
"""
    one = other(code, place)
    until(lambda: one.process.poll() is not None)
    (lock,) = on(place)
    assert lock.pids == (int(one.said[0]),)


def test_who_waits_is_told(place: Path, other: Starter, until: Until) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {TAKE['posix']}; ready()", place)
    code = "f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); ready()"
    two = other(code, place, hear=False)
    until(lambda: any(lock.waiting for lock in on(place)))
    (lock,) = on(place)
    assert (lock.pids, lock.waiting) == ((one.pid,), (two.pid,))
    one.end()
    two.hear()
    (lock,) = on(place)
    assert (lock.pids, lock.waiting) == ((two.pid,), ())


def test_a_table_longer_than_one_read_is_read_to_its_end(tmp_path: Path, other: Starter) -> None:
    code = """
files = [open(f'{sys.argv[1]}/{number}', 'w') for number in range(300)]
for f in files:
    fcntl.lockf(f, fcntl.LOCK_EX)
ready()
"""
    one = other(code, tmp_path)
    assert sum(one.pid in lock.pids for lock in holders.kernel_locks()) == 300


@pytest.mark.parametrize(
    "line",
    [b"LEASE BREAKER READ 0 <none>:0 0 EOF", b"POSIX ADVISORY WRITE 12 <none>:0 0 EOF", b"POSIX"],
)
def test_a_lock_that_lost_its_file_is_passed_over(line: bytes) -> None:
    assert parse_line(line.split()) is None
