"""What verification finds in entries that nobody touches meanwhile."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from cachewright.digests import h1
from cachewright.hashing import worker
from cachewright.hashing.batches import CompareBatch, HashBatch
from cachewright.hashing.roots import Roots
from cachewright.hashing.wire import Kind, pack_head
from cachewright.inventory.tree import scan_subtree
from cachewright.inventory.walker import scan
from cachewright.model import CancelToken, Progress, no_progress
from cachewright.storage.anchored import Directory
from cachewright.verify import EntryFiles, Verified, verify
from cachewright.workers.process import Worker

MEBI = 1 << 20
SIZES = [0, 1, 4095, 4096, MEBI - 1, MEBI, MEBI + 1, 3 * MEBI + 17]


def test_files_of_every_size_are_hashed_by_every_algorithm(
    at: Path, verified: Callable[..., Verified]
) -> None:
    contents = {b"f%d" % size: os.urandom(size) for size in SIZES}
    for name, content in contents.items():
        (at / name.decode()).write_bytes(content)
    (at / "f1").chmod(0o755)
    one = verified(None, "sha256", "md5", "blake2b")
    assert (one.key, one.strange, one.changed, one.unreadable) == (1, (), (), ())
    assert set(one.files) == set(contents)
    for name, content in contents.items():
        assert one.files[name].size == len(content)
        assert one.files[name].mode == (at / name.decode()).stat().st_mode
        assert one.files[name].values == {
            algorithm: hashlib.new(algorithm, content).hexdigest()
            for algorithm in ("sha256", "md5", "blake2b")
        }


def test_an_unpacked_provider_gives_what_terraform_records(
    at: Path, verified: Callable[..., Verified]
) -> None:
    (at / "docs").mkdir()
    (at / "docs" / "README.md").write_bytes(b"hi\n")
    (at / "LICENSE.txt").write_bytes(b"MIT\n")
    (at / "terraform-provider-toy_v1.2.3_x5").write_bytes(b"#!/bin/sh\necho toy\n")
    assert h1(verified().files) == "nq38iL/p5xodLG7GnxfF0jTrBXLnI1aWa7WENa3ohyQ="


def test_an_empty_entry_is_verified_too(verified: Callable[..., Verified]) -> None:
    assert verified() == Verified(1, {}, (), (), ())


def test_many_entries_of_one_cache(at: Path, root: Directory) -> None:
    for number in range(120):
        place = at / f"v{number % 7}" / f"entry{number}" / "sub"
        place.mkdir(parents=True)
        (place / "same").write_bytes(b"%d" % number)
        (place.parent / "other").write_bytes(b"")
    tree = scan(root, (), progress=no_progress, cancel=CancelToken())
    rows = [row for version in tree.children(0) for row in tree.children(version)]
    jobs = [EntryFiles(row, root, tree.path(row), tree, row) for row in rows]
    seen = {
        one.key: one
        for one in verify(iter(jobs), {"sha256"}, progress=no_progress, cancel=CancelToken())
    }
    assert set(seen) == set(rows)
    for row in rows:
        content = tree.name(row).removeprefix(b"entry")
        assert set(seen[row].files) == {b"sub/same", b"other"}
        assert seen[row].files[b"sub/same"].sha256 == hashlib.sha256(content).hexdigest()
        assert seen[row].changed == ()


def test_entries_under_roots_of_their_own(tmp_path: Path) -> None:
    roots = []
    for number in range(30):
        (tmp_path / f"r{number}").mkdir()
        (tmp_path / f"r{number}" / "file").write_bytes(b"%d" % number)
        roots.append(Directory.open(os.fsencode(tmp_path / f"r{number}")))
    jobs = [EntryFiles(key, one, b"", scan_subtree(one), 0) for key, one in enumerate(roots)]
    for one in verify(jobs, ["sha256"], progress=no_progress, cancel=CancelToken()):
        content = b"%d" % one.key
        assert one.files[b"file"].sha256 == hashlib.sha256(content).hexdigest()
        roots[one.key].close()
    assert all(one.fd < 0 for one in roots)


def test_a_worker_lets_go_of_a_root_that_is_done_with(root: Directory) -> None:
    handle = worker._start(b"sha256", [])
    theirs = os.dup(root.fd)
    assert handle(pack_head(Kind.ROOT, 5), [theirs]) is None
    assert handle(pack_head(Kind.HASH, 5), []) is not None
    assert handle(pack_head(Kind.FORGET, 5), []) is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(theirs)


def test_workers_are_told_to_let_go_once_the_last_entry_of_a_root_is_done(
    root: Directory,
) -> None:
    sent: list[tuple[bytes, tuple[int, ...]]] = []

    class Ear:
        def send(self, frame: bytes, fds: tuple[int, ...] = ()) -> None:
            sent.append((frame, fds))

    roots, ear = Roots(), cast("Worker[HashBatch | CompareBatch]", Ear())
    roots.use(root)
    roots.use(root)
    number = roots.number(root, ear)
    assert roots.number(root, ear) == number
    roots.release(root)
    assert sent == [(pack_head(Kind.ROOT, number), (root.fd,))]
    roots.release(root)
    assert sent[1:] == [(pack_head(Kind.FORGET, number), ())]


@pytest.mark.parametrize("size", [3, 2 * MEBI])
def test_an_entry_may_be_one_file(at: Path, root: Directory, size: int) -> None:
    (at / "below").mkdir()
    (at / "below" / "blob").write_bytes(b"x" * size)
    tree = scan_subtree(root)
    row = tree.find(b"below/blob")
    assert row is not None
    jobs = [EntryFiles(9, root, b"below/blob", tree, row)]
    (one,) = verify(jobs, ["sha256"], progress=no_progress, cancel=CancelToken())
    assert one.files[b""].sha256 == hashlib.sha256(b"x" * size).hexdigest()
    assert (one.changed, one.strange, one.unreadable) == ((), (), ())


def test_links_and_things_that_are_no_files_are_strange(
    at: Path, root: Directory, verified: Callable[..., Verified], monkeypatch: pytest.MonkeyPatch
) -> None:
    (at / "file").touch()
    (at / "link").symlink_to("file")
    (at / "loop").symlink_to("loop")
    (at / "sub").mkdir()
    os.mkfifo(at / "sub" / "pipe")
    monkeypatch.chdir(at)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    strange = {b"link", b"loop", b"sub/pipe", b"socket"}
    if os.geteuid() == 0:
        os.mknod(at / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        strange.add(b"device")
    found = verified()
    assert set(found.strange) == strange
    assert set(found.files) == {b"file"}
    assert found.changed == ()
    tree = scan_subtree(root, b"link")
    (link,) = verify(
        [EntryFiles(1, root, b"link", tree, 0)],
        ["sha256"],
        progress=no_progress,
        cancel=CancelToken(),
    )
    assert (link.strange, link.files) == ((b"",), {})


def test_what_cannot_be_read_is_said(at: Path, powerless: list[str]) -> None:
    (at / "closed").mkdir()
    (at / "closed" / "inside").touch()
    for name, size in (("small", 5), ("large", 2 * MEBI), ("fine", 3)):
        (at / name).write_bytes(b"x" * size)
    shut = [at / "closed", at / "small", at / "large"]
    for place in shut:
        place.chmod(0)
    code = (
        "import os, sys\n"
        "from cachewright.inventory.tree import scan_subtree\n"
        "from cachewright.model import CancelToken, no_progress\n"
        "from cachewright.storage.anchored import Directory\n"
        "from cachewright.verify import EntryFiles, verify\n"
        "root = Directory.open(os.fsencode(sys.argv[1]))\n"
        "jobs = [EntryFiles(1, root, b'', scan_subtree(root), 0)]\n"
        "(one,) = verify(jobs, ['sha256'], progress=no_progress, cancel=CancelToken())\n"
        "print(sorted(one.files), one.changed, one.strange)\n"
        "for gap in sorted(one.unreadable, key=lambda gap: gap.path):\n"
        "    print(gap.path.decode()[len(root.path):], gap.reason)\n"
    )
    command = [*powerless, sys.executable, "-P", "-c", code, str(at)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        for place in shut:
            place.chmod(0o700)
    assert done.stdout.splitlines() == [
        "[b'fine'] () ()",
        "/closed it cannot be listed: Permission denied",
        "/large it cannot be read: Permission denied",
        "/small it cannot be read: Permission denied",
    ]


def test_progress_counts_every_file_and_byte(at: Path, verified: Callable[..., Verified]) -> None:
    (at / "small").write_bytes(b"x" * 100)
    (at / "large").write_bytes(b"x" * (2 * MEBI))
    told: list[Progress] = []
    verified(progress=told.append)
    assert told[-1] == Progress("verify", 2, 2, 2 * MEBI + 100, 2 * MEBI + 100)
    assert all(one.done_bytes <= one.total_bytes for one in told)
    assert [one.done_bytes for one in told] == sorted(one.done_bytes for one in told)


def test_an_unknown_algorithm_is_refused_at_once(root: Directory) -> None:
    jobs = [EntryFiles(1, root, b"", scan_subtree(root), 0)]
    with pytest.raises(ValueError, match="nonesuch"):
        verify(jobs, ["nonesuch"], progress=no_progress, cancel=CancelToken())


def test_no_jobs_need_no_worker() -> None:
    assert list(verify([], ["sha256"], progress=no_progress, cancel=CancelToken())) == []
