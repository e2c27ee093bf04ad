"""The scan against real directories, with things that are no files, and while things change."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from cachewright.errors import Cancelled, RootVanished, WorkerFailed
from cachewright.inventory import reading
from cachewright.inventory.reading import Reader
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.inventory.wire import LATEST_NS, Request, Settings
from cachewright.model import ANY_DEPTH, CancelToken, Progress, Role, Rule, Type
from cachewright.storage.anchored import Directory

Workers = Callable[[], list[psutil.Process]]


class Scanned(Protocol):
    def __call__(
        self,
        *rules: Rule,
        progress: Callable[[Progress], None] = ...,
        cancel: CancelToken | None = ...,
        on_rows: Callable[[Tree], None] | None = ...,
        workers: int = ...,
    ) -> Tree: ...


def paths(tree: Tree) -> set[bytes]:
    return {tree.path(row) for row in range(len(tree))}


def on_disk(top: Path) -> set[bytes]:
    found = {b""}
    for place, directories, files in os.walk(os.fsencode(top)):
        relative = os.path.relpath(place, os.fsencode(top))
        for name in directories + files:
            found.add(os.path.normpath(os.path.join(relative, name)))
    return found


def test_everything_is_there_with_what_stat_says(wide: Path, scanned: Scanned) -> None:
    (wide / "d00" / "link").symlink_to("f1")
    os.link(wide / "d00" / "f1", wide / "d01" / "hard")
    tree = scanned()
    assert paths(tree) == on_disk(wide)
    for row in range(len(tree)):
        found = os.lstat(os.path.join(os.fsencode(wide), tree.path(row)))
        assert tree.mode[row] == found.st_mode
        assert tree.inode[row] == found.st_ino
        assert tree.device[row] == found.st_dev
        assert tree.mtime_ns[row] == found.st_mtime_ns
        assert tree.ctime_ns[row] == found.st_ctime_ns
        if not stat.S_ISDIR(found.st_mode):
            assert tree.size[row] == found.st_size
            assert tree.nlink[row] == found.st_nlink
    assert tree.errors == ()


def test_children_are_contiguous_and_come_later(wide: Path, scanned: Scanned) -> None:
    del wide
    tree = scanned()
    seen = {0}
    for row in range(len(tree)):
        for child in tree.children(row):
            assert child > row
            assert tree.parent[child] == row
            assert tree.depth[child] == tree.depth[row] + 1
            seen.add(child)
    assert seen == set(range(len(tree)))


def test_a_subtree_read_here_is_the_same_as_one_read_by_workers(
    wide: Path, root: Directory, scanned: Scanned
) -> None:
    del wide
    there, here = scanned(), scan_subtree(root)
    assert here.signature(0) == there.signature(0)
    row = there.find(b"d07")
    assert row is not None
    assert scan_subtree(root, b"d07").signature(0) == there.signature(row)


def test_a_subtree_may_be_a_single_file_of_any_type(at: Path, root: Directory) -> None:
    (at / "file").write_bytes(b"12345")
    os.mkfifo(at / "pipe")
    tree = scan_subtree(root, b"file", Role.METADATA)
    assert (len(tree), tree.path(0), int(tree.size[0])) == (1, b"", 5)
    assert tree.role[0] == Role.METADATA
    assert stat.S_ISFIFO(int(scan_subtree(root, b"pipe").mode[0]))
    with pytest.raises(FileNotFoundError):
        scan_subtree(root, b"nothing")


def test_rules_give_roles_and_what_lies_below_inherits_them(at: Path, scanned: Scanned) -> None:
    (at / "vendor" / "1.0" / "deep").mkdir(parents=True)
    (at / "vendor" / "1.0" / "deep" / "x.lock").touch()
    (at / "vendor" / "x.lock").touch()
    (at / "vendor" / "linked.lock").symlink_to("x.lock")
    (at / "index").touch()
    (at / "strange").mkdir()
    (at / "strange" / "1.0").mkdir()
    directory, file = frozenset({Type.DIRECTORY}), frozenset({Type.FILE})
    tree = scanned(
        Rule(1, re.compile(rb"index"), file, Role.METADATA),
        Rule(1, re.compile(rb"vend.r"), directory, Role.CONTAINER),
        Rule(2, re.compile(rb"[0-9.]+"), directory, Role.ENTRY),
        Rule(2, re.compile(rb".*\.LOCK", re.IGNORECASE), file, Role.LOCK),
    )
    roles = {tree.path(row): Role(int(tree.role[row])) for row in range(len(tree))}
    assert roles == {
        b"": Role.CONTAINER,
        b"vendor": Role.CONTAINER,
        b"vendor/1.0": Role.ENTRY,
        b"vendor/1.0/deep": Role.ENTRY,
        b"vendor/1.0/deep/x.lock": Role.ENTRY,
        b"vendor/x.lock": Role.LOCK,
        b"vendor/linked.lock": Role.FOREIGN,
        b"index": Role.METADATA,
        b"strange": Role.FOREIGN,
        b"strange/1.0": Role.FOREIGN,
    }
    assert [tree.path(row) for row in tree.rows_with_role(Role.ENTRY)] == [b"vendor/1.0"]
    assert [tree.path(row) for row in tree.rows_with_role(Role.FOREIGN)] == [
        name
        for name in map(tree.path, range(len(tree)))
        if name in {b"strange", b"vendor/linked.lock"}
    ]


def test_a_rule_may_hold_at_any_depth_and_only_below_some_path(at: Path, scanned: Scanned) -> None:
    for place in (at, at / "a", at / "a/b", at / "other", at / "other/b"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "x").touch()
    directory, file = frozenset({Type.DIRECTORY}), frozenset({Type.FILE})
    tree = scanned(
        Rule(
            2, re.compile(rb"b"), directory, Role.CONTAINER, under=re.compile(rb"A", re.IGNORECASE)
        ),
        Rule(1, re.compile(rb".+"), directory, Role.CONTAINER),
        Rule(2, re.compile(rb"x"), file, Role.LOCK, under=re.compile(rb"a")),
        Rule(ANY_DEPTH, re.compile(rb"x"), file, Role.METADATA, under=re.compile(rb"(a/b)?")),
        Rule(ANY_DEPTH, re.compile(rb"x"), file, Role.ENTRY),
    )
    roles = {tree.path(row): Role(int(tree.role[row])) for row in range(len(tree))}
    assert {name: role for name, role in roles.items() if name.endswith(b"x")} == {
        b"x": Role.METADATA,
        b"a/x": Role.LOCK,
        b"a/b/x": Role.METADATA,
        b"other/x": Role.ENTRY,
        b"other/b/x": Role.FOREIGN,
    }


def test_a_rule_matches_whole_names_only(at: Path, scanned: Scanned) -> None:
    (at / "abc").touch()
    (at / "abc\n").touch()
    tree = scanned(Rule(1, re.compile(rb"abc$"), frozenset({Type.FILE}), Role.LOCK))
    assert [tree.path(row) for row in tree.rows_with_role(Role.LOCK)] == [b"abc"]


def test_the_worker_knows_a_container_as_the_model_does() -> None:
    assert int(Role.CONTAINER) == reading.CONTAINER
    assert ANY_DEPTH == reading.ANY_DEPTH


def test_links_are_listed_and_not_followed(at: Path, scanned: Scanned, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    (at / "out").symlink_to(tmp_path / "outside")
    (at / "loop").symlink_to("loop")
    (at / "up").symlink_to("..")
    tree = scanned()
    assert paths(tree) == {b"", b"out", b"loop", b"up"}
    assert tree.errors == ()


def test_a_directory_that_became_a_link_is_not_followed(
    wide: Path, root: Directory, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    settings = Settings(root.identity.device, 60.0, {})
    shutil.rmtree(wide / "d03")
    (wide / "d03").symlink_to(tmp_path / "outside")
    answer = Reader(root.fd, settings).read([Request(b"d03", 1, 0)], 100)
    assert len(answer) == 0
    assert len(answer.troubles) == 0


def test_things_that_are_no_files_are_only_listed(
    at: Path, scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(at / "pipe")
    monkeypatch.chdir(at)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    if os.geteuid() == 0:
        os.mknod(at / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    tree = scanned()
    assert paths(tree) == on_disk(at)


def test_times_beyond_the_columns_are_held_at_the_latest(at: Path, scanned: Scanned) -> None:
    (at / "file").touch()
    try:
        os.utime(at / "file", ns=(0, LATEST_NS + 10**9))
    except OSError:
        pytest.skip("this file system keeps no such times")
    if os.stat(at / "file").st_mtime_ns <= LATEST_NS:
        pytest.skip("this file system keeps no such times")
    tree = scanned()
    row = tree.find(b"file")
    assert row is not None
    assert int(tree.mtime_ns[row]) == LATEST_NS


def test_mounted_file_systems_are_not_entered(at: Path, only_root: None) -> None:
    del only_root
    (at / "memory").mkdir()
    (at / "again").mkdir()
    (at / "plain").mkdir()
    (at / "plain" / "file").touch()
    code = (
        "import os, subprocess, sys\n"
        "from cachewright.inventory.walker import scan\n"
        "from cachewright.model import CancelToken, no_progress\n"
        "from cachewright.storage.anchored import Directory\n"
        "at = os.fsencode(sys.argv[1])\n"
        "mount = ['mount', '-t', 'tmpfs', 'none', at + b'/memory']\n"
        "if subprocess.run(mount).returncode: sys.exit(77)\n"
        "open(at + b'/memory/inside', 'w').close()\n"
        "subprocess.run(['mount', '--bind', at + b'/plain', at + b'/again'], check=True)\n"
        "tree = scan(Directory.open(at), (), progress=no_progress, cancel=CancelToken())\n"
        "print(*sorted(tree.path(row).decode() for row in range(len(tree))))\n"
        "print(*sorted(one.path.decode()[len(at):] + ':' + one.reason for one in tree.errors))\n"
        "print(tree.device[tree.find(b'memory')] == os.stat(at + b'/memory').st_dev)\n"
    )
    command = ["unshare", "-m", sys.executable, "-P", "-c", code, str(at)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode in {1, 77} and "Traceback" not in done.stderr:
        pytest.skip("nothing may be mounted here")
    listed, gaps, its_own_device = done.stdout.splitlines()
    assert listed.split() == ["again", "memory", "plain", "plain/file"]
    reason = "another file system is mounted here, and was not entered"
    assert gaps == f"/again:{reason} /memory:{reason}"
    assert its_own_device == "True"


def test_a_directory_without_permission_is_a_gap_and_never_empty(
    at: Path, powerless: list[str]
) -> None:
    for name, mode in (("closed", 0), ("names-only", 0o400)):
        (at / name).mkdir()
        (at / name / "file").touch()
        (at / name).chmod(mode)
    code = (
        "import os, sys\n"
        "from cachewright.inventory.walker import scan\n"
        "from cachewright.model import CancelToken, no_progress\n"
        "from cachewright.storage.anchored import Directory\n"
        "at = os.fsencode(sys.argv[1])\n"
        "tree = scan(Directory.open(at), (), progress=no_progress, cancel=CancelToken())\n"
        "for one in sorted(tree.errors, key=lambda one: one.path):\n"
        "    print(one.path.decode()[len(at):], one.reason)\n"
        "print(sorted(map(tree.path, tree.gap_rows.tolist())))\n"
        "print(len(tree.gaps_in(tree.find(b'closed'))), len(tree.gaps_in(0)))\n"
    )
    command = [*powerless, sys.executable, "-P", "-c", code, str(at)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        for name in ("closed", "names-only"):
            (at / name).chmod(0o700)
    assert done.stdout.splitlines() == [
        "/closed it cannot be listed: Permission denied",
        "/names-only 1 names in it cannot be looked at: Permission denied",
        "[b'closed', b'names-only']",
        "1 2",
    ]


def test_what_vanishes_meanwhile_is_no_trouble(wide: Path, scanned: Scanned) -> None:
    removed = [wide / f"d{number:02}" for number in range(0, 40, 2)]

    def remove(_progress: Progress) -> None:
        while removed:
            shutil.rmtree(removed.pop())

    tree = scanned(progress=remove)
    assert not removed
    assert tree.errors == ()
    assert {b"d%02d/f49" % number for number in range(1, 40, 2)} <= paths(tree)


@pytest.mark.parametrize("removed", [True, False], ids=["removed", "moved away"])
def test_a_root_that_vanishes_is_said(wide: Path, scanned: Scanned, removed: bool) -> None:
    def vanish(_progress: Progress) -> None:
        if wide.exists() and removed:
            shutil.rmtree(wide)
        elif wide.exists():
            wide.rename(wide.with_name("elsewhere"))

    with pytest.raises(RootVanished):
        scanned(progress=vanish)


def test_progress_and_partial_trees_are_consistent(wide: Path, scanned: Scanned) -> None:
    del wide
    told: list[Progress] = []
    trees: list[tuple[Tree, list[bytes]]] = []
    tree = scanned(
        progress=told.append,
        on_rows=lambda tree: trees.append((tree, [tree.path(row) for row in range(len(tree))])),
    )
    assert {one.stage for one in told} == {"scan"}
    assert told[-1].done == len(tree) == len(trees[-1][0])
    assert [one.done for one in told] == [len(one) for one, _ in trees]
    assert 1 <= len(trees[0][0]) < len(tree)
    for partial, then in trees:
        assert [tree.path(row) for row in range(len(partial))] == then
        for row in range(len(partial)):
            assert partial.children(row).stop <= len(partial)
        assert sum(1 for _ in partial.subtree(0)) == len(partial)
        partial.totals()


@pytest.mark.parametrize("number", [1, 5])
def test_any_number_of_workers_sees_the_same(wide: Path, scanned: Scanned, number: int) -> None:
    assert paths(scanned(workers=number)) == on_disk(wide)


def test_a_hung_worker_does_not_outlive_a_cancelled_scan(
    wide: Path, scanned: Scanned, workers: Workers
) -> None:
    del wide
    cancel, hung = CancelToken(), threading.Event()
    stopped: list[psutil.Process] = []

    def hang(_progress: Progress) -> None:
        if not stopped:
            stopped.extend(workers())
            for worker in stopped:
                worker.send_signal(signal.SIGSTOP)
            hung.set()

    def stop() -> None:
        hung.wait()
        cancel.cancel()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(Cancelled):
        scanned(progress=hang, cancel=cancel)
    stopper.join()
    assert len(stopped) == 2
    assert not any(worker.is_running() for worker in stopped)


def test_a_paused_scan_goes_on_when_resumed(wide: Path, scanned: Scanned) -> None:
    cancel = CancelToken()
    told: list[int] = []
    paused = threading.Event()

    def pause_once(progress: Progress) -> None:
        told.append(progress.done)
        if not paused.is_set():
            cancel.pause()
            paused.set()

    result: list[Tree] = []
    runner = threading.Thread(
        target=lambda: result.append(scanned(progress=pause_once, cancel=cancel))
    )
    runner.start()
    paused.wait()
    runner.join(0.3)
    assert runner.is_alive()
    assert len(told) == 1
    cancel.resume()
    runner.join()
    assert paths(result[0]) == on_disk(wide)


def test_a_worker_that_dies_is_reported(wide: Path, scanned: Scanned, workers: Workers) -> None:
    victims: list[psutil.Process] = []

    def kill(_progress: Progress) -> None:
        if not victims:
            victims.extend(workers())
            for victim in victims:
                victim.kill()

    with pytest.raises(WorkerFailed, match="signal 9") as failed:
        scanned(progress=kill)
    assert failed.value.values["path"].startswith(str(wide))
    assert not workers()


def test_workers_start_without_large_modules() -> None:
    code = (
        "import sys, cachewright.inventory.worker, cachewright.hashing.worker\n"
        "print({'numpy', 'click', 'rich', 'dataclasses', 'inspect', 'subprocess'}"
        " & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
