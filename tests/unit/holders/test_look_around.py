"""One pass over all processes gives both halves, and what is skipped on the way never counts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachewright import holders
from cachewright.holders import KernelLock, Survey

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

OFD = "lock(f.fileno(), fcntl.F_OFD_SETLK)"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    file = tmp_path / "cache" / "file"
    file.parent.mkdir()
    file.write_bytes(b"x" * 4096)
    return file


def nothing(_device: int, _inode: int) -> bool:
    return False


def look(prefix: Path, wanted: Callable[[int, int], bool] | None = nothing) -> Survey:
    """As a scan from before would have it: what is new is wanted by its path only."""
    devices = frozenset({prefix.stat().st_dev})
    return holders.look_around([os.fsencode(prefix)], devices, wanted=wanted)[0]


def named(survey: Survey, prefix: Path) -> dict[int, tuple[str, ...]]:
    return {one.pid: one.how for one in survey.of((), os.fsencode(prefix))}


def on(file: Path, kernel: tuple[KernelLock, ...]) -> list[KernelLock]:
    return [lock for lock in kernel if lock.inode == file.stat().st_ino]


def test_both_halves_are_of_one_pass(
    place: Path, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {OFD}; ready()", place)
    opened: list[object] = []
    real = os.open

    def open_(name: object, *rest: object, **options: object) -> int:
        opened.append(name)
        return real(name, *rest, **options)  # type: ignore[arg-type, misc]

    with monkeypatch.context() as counted:
        counted.setattr(os, "open", open_)
        prefix, device = os.fsencode(place.parent), place.stat().st_dev
        seen, kernel = holders.look_around([prefix], frozenset({device}))
    assert opened.count(f"/proc/{one.pid}") == 1
    assert named(seen, place)[one.pid] == ("lock:write", "open:write")
    assert on(place, kernel) == on(place, holders.kernel_locks())
    assert [lock.pids for lock in on(place, kernel)] == [(one.pid,)]


@pytest.mark.parametrize(
    ("code", "way"),
    [
        ("bare_mmap(sys.argv[1], True)", "mmap:write"),
        ("bare_mmap(sys.argv[1], False)", "mmap:read"),
        ("f = open(sys.argv[1])", "open:read"),
    ],
)
def test_what_is_newer_than_the_list_counts_by_its_path(
    code: str, way: str, place: Path, other: Starter
) -> None:
    one = other(f"{code}; ready()", place)
    assert named(look(place.parent), place)[one.pid] == (way,)


@pytest.mark.parametrize("gone", ["", "os.unlink(sys.argv[1]);"])
def test_a_prefix_may_be_the_very_file(gone: str, place: Path, other: Starter) -> None:
    one = other(f"f = open(sys.argv[1], 'r+'); {gone} ready()", place)
    device = place.parent.stat().st_dev
    (hold,) = holders.survey([os.fsencode(place)], frozenset({device}), wanted=nothing).holds
    assert (hold.holder.pid, hold.how) == (one.pid, "open:write")
    assert hold.path == os.fsencode(place) + (b" (deleted)" if gone else b"")


def test_a_new_name_with_a_newline_counts_by_its_path(tmp_path: Path, other: Starter) -> None:
    """The kernel spells it in another way where it lists mappings."""
    odd = tmp_path / "two\nlines"
    odd.mkdir()
    (odd / "file").write_bytes(b"x" * 4096)
    one = other("bare_mmap(sys.argv[1], True); ready()", odd / "file")
    assert named(look(odd), odd) == {one.pid: ("mmap:write",)}


@pytest.mark.parametrize("way", ["mmap:write", "open:write"])
def test_a_renamed_file_counts_by_its_number_alone(way: str, place: Path, other: Starter) -> None:
    code = {
        "mmap:write": "bare_mmap(sys.argv[1], True)",
        "open:write": "f = open(sys.argv[1], 'r+')",
    }
    one = other(f"{code[way]}; ready()", place)
    moved = place.rename(place.parent.parent / "elsewhere")
    known = moved.stat()
    seen = look(place.parent, lambda *where: where == (known.st_dev, known.st_ino))
    assert [holder.pid for holder in seen.of({(known.st_dev, known.st_ino)})] == [one.pid]
    assert {hold.how for hold in seen.holds} == {way}


def test_a_fifo_of_the_cache_is_no_pipe(place: Path, other: Starter) -> None:
    """Pipes are skipped by their file system, of which the first one seen tells."""
    os.mkfifo(place.parent / "fifo")
    other("a, b = os.pipe(); ready()")
    one = other("f = open(sys.argv[1], 'r+b', buffering=0); ready()", place.parent / "fifo")
    assert named(look(place.parent), place.parent) == {one.pid: ("open:write",)}


@pytest.mark.usefixtures("only_root")
def test_a_namespace_that_is_mounted_in_the_cache_is_a_place(place: Path, other: Starter) -> None:
    """Others of its file system have no path at all, and are met before it."""
    mounted = place.parent / "namespace"
    mounted.touch()
    command = ["mount", "--bind", "/proc/self/ns/net", mounted]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        other("f = open('/proc/self/ns/net'); ready()")
        one = other("f = open(sys.argv[1]); ready()", mounted)
        assert named(look(place.parent), place.parent) == {one.pid: ("open:read",)}
        one.end()
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Path]:
    """A directory of another file system than the cache's."""
    shm = Path("/dev/shm")  # noqa: S108 - not for files of ours, only a second file system
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=shm) as made:
        yield Path(made)


def test_a_lock_on_another_file_system_has_an_owner(
    place: Path, second: Path, other: Starter
) -> None:
    """Its device is of no interest, but all of the kernel's locks are told."""
    (second / "lock").touch()
    one = other(f"f = open(sys.argv[1], 'r+'); {OFD}; ready()", second / "lock")
    inode = (second / "lock").stat().st_ino
    prefix, device = os.fsencode(place.parent), place.stat().st_dev
    seen, kernel = holders.look_around([prefix], frozenset({device}))
    assert [lock.pids for lock in on(second / "lock", kernel)] == [(one.pid,)]
    assert one.pid not in {hold.holder.pid for hold in seen.holds if hold.inode == inode}


@pytest.mark.usefixtures("only_root")
@pytest.mark.parametrize("code", ["f = open(sys.argv[1], 'r+')", "bare_mmap(sys.argv[1], True)"])
def test_what_is_mounted_in_the_cache_counts_by_its_path(
    code: str, place: Path, second: Path, other: Starter
) -> None:
    inner = place.parent / "inner"
    inner.mkdir()
    (second / "file").write_bytes(b"x" * 4096)
    if subprocess.run(
        ["mount", "--bind", second, inner], check=False, capture_output=True
    ).returncode:
        pytest.skip("may not mount")
    try:
        one = other(f"{code}; ready()", inner / "file")
        assert set(named(look(place.parent), place.parent)) == {one.pid}
        one.end()
    finally:
        subprocess.run(["umount", "--lazy", inner], check=True)


@pytest.mark.usefixtures("only_root")
@pytest.mark.parametrize("code", ["f = open(sys.argv[1], 'r+')", "bare_mmap(sys.argv[1], True)"])
def test_what_a_container_mounted_elsewhere_counts_by_its_number(
    code: str, place: Path, tmp_path: Path
) -> None:
    """Its path is its own and lies nowhere near; the numbers are the same everywhere."""
    prelude = (Path(__file__).parents[1] / "conftest.py").read_text(encoding="utf-8")
    script = prelude.split('PRELUDE = """')[1].split('"""')[0] + f"{code}; ready()"
    other_place = tmp_path / "other"
    other_place.mkdir()
    steps = 'mount --bind "$1" "$2" && mount -t tmpfs none "$1" && exec "$3" -c "$4" "$2/file"'
    command = ["unshare", "--mount", "sh", "-c", steps, "sh", place.parent, other_place]
    known = place.stat()
    command += [sys.executable, script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as inner:
        assert inner.stdout is not None
        if not inner.stdout.readline():
            pytest.skip("may not make a mount namespace")
        seen = look(place.parent, lambda *where: where == (known.st_dev, known.st_ino))
        found = seen.of({(known.st_dev, known.st_ino)})
        assert [holder.pid for holder in found] == [inner.pid]
        inner.communicate(b"\n")


@pytest.mark.parametrize("code", ["f = open(sys.argv[1], 'r+')", "bare_mmap(sys.argv[1], True)"])
def test_on_an_overlay_what_is_new_counts_by_its_path(
    code: str, overlay: tuple[Path, Path], other: Starter
) -> None:
    lower, merged = overlay
    (lower / "file").write_bytes(b"x" * 4096)
    one = other(f"{code}; ready()", merged / "file")
    assert set(named(look(merged), merged)) == {one.pid}
