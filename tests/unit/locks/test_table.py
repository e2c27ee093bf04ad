"""Finding a file's locks in the kernel's table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cachewright import holders
from cachewright.locks.table import of_file

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

TAKE = "f = open(sys.argv[1], 'r+'); fcntl.flock(f, fcntl.LOCK_EX); ready()"


def owners(path: Path) -> list[tuple[int, ...]]:
    with path.open("rb") as file:
        return [lock.pids for lock in of_file(file.fileno(), holders.kernel_locks())]


def test_only_the_file_itself_is_meant(tmp_path: Path, other: Starter) -> None:
    for name in ("lock", "neighbour"):
        (tmp_path / name).touch()
    one = other(TAKE, tmp_path / "lock")
    assert owners(tmp_path / "lock") == [(one.pid,)]
    assert owners(tmp_path / "neighbour") == []


def test_where_stat_has_another_number_than_the_table(
    overlay: tuple[Path, Path], other: Starter
) -> None:
    lower, merged = overlay
    (lower / "lock").touch()
    one = other(TAKE, merged / "lock")
    assert owners(merged / "lock") == [(one.pid,)]


def test_a_lease_is_no_lock(tmp_path: Path, other: Starter) -> None:
    (tmp_path / "file").touch()
    code = "f = open(sys.argv[1]); fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_RDLCK); ready()"
    other(code, tmp_path / "file")
    assert owners(tmp_path / "file") == []
