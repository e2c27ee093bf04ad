"""Every way of holding a file is seen, by number and by path, and nobody is made up."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright import holders
from cachewright.holders import Survey
from cachewright.model import Holder

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

WAYS = {
    "open:read": "f = open(sys.argv[1], 'rb'); ready()",
    "open:write": "f = open(sys.argv[1], 'r+b'); ready()",
    "mmap:read": "bare_mmap(sys.argv[1], False); ready()",
    "mmap:write": "bare_mmap(sys.argv[1], True); ready()",
    "cwd": "os.chdir(os.path.dirname(sys.argv[1])); ready()",
    "lock:write": "f = open(sys.argv[1], 'r+b'); fcntl.flock(f, fcntl.LOCK_EX); ready()",
    "lock:read": "f = open(sys.argv[1], 'rb'); fcntl.lockf(f, fcntl.LOCK_SH); ready()",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    file = tmp_path / "staging" / "file"
    file.parent.mkdir()
    file.write_bytes(b"x" * 4096)
    return file


def look(place: Path, **options: frozenset[int]) -> Survey:
    devices = frozenset({place.parent.stat().st_dev})
    return holders.survey([os.fsencode(place.parent)], devices, **options)


def by_number(survey: Survey, *paths: Path) -> dict[int, Holder]:
    places = {(found.st_dev, found.st_ino) for found in map(os.stat, paths)}
    return {holder.pid: holder for holder in survey.of(places)}


def by_path(survey: Survey, prefix: Path) -> dict[int, Holder]:
    return {holder.pid: holder for holder in survey.of((), os.fsencode(prefix))}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_is_seen(way: str, place: Path, other: Starter) -> None:
    one = other(WAYS[way], place)
    seen = look(place)
    assert way in by_number(seen, place, place.parent)[one.pid].how
    assert way in by_path(seen, place.parent)[one.pid].how
    one.end()
    assert by_path(look(place), place.parent) == {}


def test_a_running_program_is_seen(place: Path) -> None:
    program = shutil.copy(shutil.which("cat") or "", place.parent / "tool")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"x\n")
        running.stdin.flush()
        running.stdout.readline()
        assert "exe" in by_number(look(place), Path(program))[running.pid].how
        running.stdin.close()


def test_a_program_behind_a_link_is_seen_by_what_it_was_started_as(place: Path) -> None:
    """As the interpreter of a virtual environment, which lies elsewhere itself."""
    link = place.parent / "python"
    link.symlink_to(shutil.which("cat") or "")
    with subprocess.Popen([link], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"x\n")
        running.stdin.flush()
        running.stdout.readline()
        assert by_path(look(place), place.parent)[running.pid].how == ("argv",)
        running.stdin.close()
    assert by_path(look(place), place.parent) == {}


@pytest.mark.usefixtures("only_root")
def test_a_root_directory_is_seen(place: Path, other: Starter) -> None:
    one = other("os.chroot(os.path.dirname(sys.argv[1])); os.chdir('/'); ready()", place)
    assert {"cwd", "root"} <= set(by_number(look(place), place.parent)[one.pid].how)


def test_ways_are_merged_per_process(place: Path, other: Starter) -> None:
    one = other("a = open(sys.argv[1]); b = open(sys.argv[1], 'r+'); ready()", place)
    holder = by_path(look(place), place.parent)[one.pid]
    assert holder.how == ("open:read", "open:write")
    assert holder.writes


def test_a_private_mapping_does_not_write(place: Path, other: Starter) -> None:
    one = other("bare_mmap(sys.argv[1], True, shared=False); ready()", place)
    holder = by_path(look(place), place.parent)[one.pid]
    assert holder.how == ("mmap:read",)
    assert not holder.writes


@pytest.mark.parametrize("way", ["open:write", "mmap:write", "lock:write"])
def test_on_an_overlay_numbers_and_paths_lead_there(
    way: str, overlay: tuple[Path, Path], other: Starter
) -> None:
    lower, merged = overlay
    (lower / "file").write_bytes(b"x" * 4096)
    place = merged / "file"
    with place.open("r+b") as changed:
        changed.write(b"y")  # copied up, into the other file system
    one = other(WAYS[way], place)
    found = place.stat()
    seen = holders.survey([os.fsencode(merged)], frozenset({found.st_dev}))
    assert way in by_path(seen, merged)[one.pid].how
    assert way in by_number(seen, place)[one.pid].how


def test_a_prefix_is_enough(place: Path, other: Starter) -> None:
    one = other(WAYS["open:write"], place)
    seen = holders.survey([os.fsencode(place.parent)], frozenset())
    assert one.pid in by_path(seen, place.parent)


def test_a_directory_that_is_open_is_seen(place: Path, other: Starter) -> None:
    one = other("d = os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY); ready()", place)
    assert by_number(look(place), place.parent)[one.pid].how == ("open:read",)


def test_a_deleted_file_is_seen_by_its_path(place: Path, other: Starter) -> None:
    one = other("f = open(sys.argv[1], 'r+'); os.unlink(sys.argv[1]); ready()", place)
    assert by_path(look(place), place.parent)[one.pid].how == ("open:write",)
    assert by_path(look(place), place)[one.pid].how == ("open:write",)


def test_a_file_made_later_is_seen_by_its_path(place: Path, other: Starter) -> None:
    one = other("f = open(sys.argv[1] + '.new', 'w'); ready()", place)
    assert one.pid in by_path(look(place), place.parent)


def test_a_renamed_file_is_seen_by_its_number(place: Path, other: Starter) -> None:
    one = other(WAYS["open:write"], place)
    moved = place.rename(place.parent.parent / "elsewhere")
    seen = look(place)
    assert one.pid in by_number(seen, moved)
    assert one.pid not in by_path(seen, place.parent)


def test_a_neighbour_with_a_longer_name_is_not_meant(place: Path, other: Starter) -> None:
    neighbour = place.parent.with_name("staging2")
    neighbour.mkdir()
    (neighbour / "file").write_bytes(b"")
    one = other(WAYS["open:read"], neighbour / "file")
    assert one.pid not in by_path(look(place), place.parent)


@pytest.mark.usefixtures("only_root")
def test_the_same_path_in_a_container_is_another_place(place: Path) -> None:
    code = "import sys; f = open(sys.argv[1], 'w'); print(flush=True); sys.stdin.readline()"
    script = 'mount -t tmpfs none "$1" && exec "$2" -c "$3" "$1/file"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(place.parent)]
    command += [sys.executable, code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as inner:
        assert inner.stdout is not None
        if not inner.stdout.readline():
            pytest.skip("may not make a mount namespace")
        path = os.readlink(f"/proc/{inner.pid}/fd/3")
        assert path == str(place), "the premise: only the numbers tell them apart"
        assert inner.pid not in by_path(look(place), place.parent)
        inner.communicate(b"\n")


def test_a_stopped_process_is_called_so(place: Path, other: Starter) -> None:
    one = other(WAYS["lock:write"], place)
    assert by_path(look(place), place.parent)[one.pid].state == "running"
    one.stop()
    stopped = by_path(look(place), place.parent)[one.pid]
    assert stopped.state == "stopped"
    assert "lock:write" in stopped.how


def test_every_process_with_an_inherited_lock_is_named(place: Path, other: Starter) -> None:
    code = """
f = open(sys.argv[1], 'r+'); fcntl.flock(f, fcntl.LOCK_EX)
child = os.fork()
ready(child) if child else sys.stdin.readline()
"""
    one = other(code, place)
    seen = by_path(look(place), place.parent)
    assert {one.pid, int(one.said[0])} == set(seen)
    assert all("lock:write" in holder.how for holder in seen.values())


def test_what_passes_from_parent_to_child_is_not_missed(place: Path, other: Starter) -> None:
    """Each generation hands the open file to the next and ends; pids only grow."""
    code = """
import select
f = open(sys.argv[1], 'r+')
print('ready', flush=True)
while not select.select([0], [], [], 0.004)[0]:
    if os.fork():
        os._exit(0)
"""
    other(code, place)
    missed = sum(not by_path(look(place), place.parent) for _look in range(15))
    assert missed == 0


def test_threads_that_outlive_the_main_thread_are_seen(
    place: Path, other: Starter, until: object
) -> None:
    code = """
import threading
f = open(sys.argv[1], 'r+')
def stay():
    ready()
    os._exit(0)
threading.Thread(target=stay).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    one = other(code, place)
    assert callable(until)
    until(lambda: b" Z " in Path(f"/proc/{one.pid}/stat").read_bytes())
    assert by_path(look(place), place.parent)[one.pid].how == ("open:write",)


def test_our_own_reading_is_not_a_hold_but_writing_is(place: Path, other: Starter) -> None:
    worker = other(WAYS["open:read"], place)
    with place.open("rb"):
        seen = look(place, ours=frozenset({worker.pid}))
        assert by_path(seen, place.parent) == {}
    with place.open("r+b"):
        assert by_path(look(place), place.parent)[os.getpid()].how == ("open:write",)
    writer = other(WAYS["open:write"], place)
    assert writer.pid in by_path(look(place, ours=frozenset({writer.pid})), place.parent)


def test_wanted_narrows_what_is_kept(place: Path, other: Starter) -> None:
    elsewhere = place.parent.parent / "other"
    elsewhere.write_bytes(b"")
    other(WAYS["open:read"], elsewhere)
    device = place.stat().st_dev
    prefix = os.fsencode(place.parent)
    inode = elsewhere.stat().st_ino
    everything = holders.survey([prefix], frozenset({device}))
    nothing = holders.survey([prefix], frozenset({device}), wanted=lambda _device, _inode: False)
    assert inode in {hold.inode for hold in everything.holds}
    assert nothing.holds == ()


def test_what_cannot_be_inspected_is_counted(place: Path, other: Starter) -> None:
    """Asked as a user without rights, root's processes do not show what they hold."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    holding = other("f = open(sys.argv[1], 'r+'); ready()", place)
    code = """
import os, sys
from cachewright import holders
prefix, device = os.fsencode(sys.argv[1]), int(sys.argv[2])
# What the interpreter loads late is loaded now, while it may still read its own files.
assert "\\0".encode("unicode_escape") and holders.survey([prefix], frozenset({device})).holds
os.setgroups([]); os.setgid(65534); os.setuid(65534)
seen = holders.survey([prefix], frozenset({device}))
print(seen.uninspected, int(sys.argv[3]) in {one.pid for one in seen.of((), prefix)}, *seen.unnamed)
"""
    arguments = [place.parent, place.stat().st_dev, holding.pid]
    said = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], check=True, capture_output=True
    ).stdout.split()
    assert int(said[0]) >= 2
    assert said[1] == b"False"
    assert b"kthreadd" not in said
    assert look(place).uninspected < int(said[0])


@pytest.mark.usefixtures("only_root")
def test_a_pid_namespace_hides_and_is_seen_through(place: Path) -> None:
    outside = look(place)
    assert outside.hidden == ""
    code = """
import os, sys
from cachewright import holders
f = open(sys.argv[1] + '/file', 'r+')
print(holders.survey([os.fsencode(sys.argv[1])], frozenset()).hidden, flush=True)
sys.stdin.readline()
"""
    enter = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    try:
        subprocess.run([*enter, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("may not make a pid namespace")
    command = [*enter, sys.executable, "-c", code, str(place.parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as inner:
        assert inner.stdout is not None
        assert b"container" in inner.stdout.readline()
        seen = by_path(look(place), place.parent)
        assert [holder.how for holder in seen.values()] == [("open:write",)]
        assert seen.keys().isdisjoint({1, inner.pid})
        inner.communicate(b"\n")


@pytest.mark.parametrize("failing", ["fd/", "cwd", "maps"])
@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ENOTCONN])
def test_a_file_system_that_fails_spoils_nothing_else(
    number: int, failing: str, place: Path, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stale handle or a dead server, injected where one process is asked."""
    one = other("open('/proc/self/comm', 'w').write('victim'); " + WAYS["open:write"], place)
    pinned: set[int] = set()
    its_descriptors: set[int] = set()
    real_stat, real_open = os.stat, os.open

    def fails(name: object, dir_fd: int | None) -> bool:
        if failing == "fd/":
            return dir_fd in its_descriptors
        return dir_fd in pinned and isinstance(name, str) and name.startswith(failing)

    def stat(name: Any, *, dir_fd: int | None = None, **options: Any) -> os.stat_result:
        if fails(name, dir_fd):
            raise OSError(number, "injected")
        return real_stat(name, dir_fd=dir_fd, **options)

    def open_(name: Any, flags: int, *rest: Any, dir_fd: int | None = None) -> int:
        if fails(name, dir_fd) and failing == "maps":
            raise OSError(number, "injected")
        fd = real_open(name, flags, *rest, dir_fd=dir_fd)
        if isinstance(name, str) and name.startswith("/proc/"):
            pinned.clear()
            its_descriptors.clear()
            if name == f"/proc/{one.pid}":
                pinned.add(fd)
        if name == "fd" and dir_fd in pinned:
            its_descriptors.add(fd)
        return fd

    with monkeypatch.context() as injected:
        injected.setattr(os, "stat", stat)
        injected.setattr(os, "open", open_)
        seen = look(place)
    assert by_path(seen, place.parent)[one.pid].how == ("open:write",)
    assert ("victim" in seen.unnamed) is (failing != "fd/")


def test_a_process_that_cannot_even_be_opened_is_counted(
    place: Path, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (other(WAYS["open:write"], place) for _each in range(2))
    real = os.open

    def open_(name: Any, flags: int, *rest: Any, dir_fd: int | None = None) -> int:
        if name == f"/proc/{one.pid}":
            raise OSError(errno.EMFILE, "injected")
        return real(name, flags, *rest, dir_fd=dir_fd)

    with monkeypatch.context() as injected:
        injected.setattr(os, "open", open_)
        seen = look(place)
    assert set(by_path(seen, place.parent)) == {two.pid}
    assert seen.uninspected >= 1


DEEP = """
levels = int(sys.argv[2])
os.chdir(os.path.dirname(sys.argv[1]))
for _ in range(levels):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
f = open("file", "wb")
ready(os.fstat(f.fileno()).st_dev, os.fstat(f.fileno()).st_ino)
for _ in range(levels):
    os.unlink("file") if os.path.exists("file") else None
    os.chdir("..")
    os.rmdir("d" * 200)
"""


def test_a_path_longer_than_the_kernel_shows_is_found_by_number(
    place: Path, other: Starter
) -> None:
    one = other(DEEP, place, 30)
    device, inode = map(int, one.said)
    (holder,) = look(place).of({(device, inode)})
    assert (holder.pid, holder.how) == (one.pid, ("open:write",))
    one.end()
