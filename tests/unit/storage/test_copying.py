from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cachewright.errors import Cancelled, Changed, NotARegularFile
from cachewright.model import CancelToken
from cachewright.storage.anchored import Directory
from cachewright.storage.content import Reader
from cachewright.storage.copying import copy_tree
from cachewright.storage.reading_back import hash_tree, sync_tree
from cachewright.storage.removal import remove_tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "source"
    (place / "sub" / "empty").mkdir(parents=True)
    (place / "run").write_bytes(b"#!\n")
    (place / "run").chmod(0o4755)
    (place / "sub" / "data").write_bytes(b"d" * 3_000_000)
    os.utime(place / "run", ns=(1, 2))
    (place / "sub").chmod(0o555)
    return place


def test_copies_files_directories_modes_and_times(root: Directory, source: Path) -> None:
    with Directory.open(os.fsencode(source)) as opened:
        digests = copy_tree(opened, root, CancelToken())
    assert digests.keys() == {b"run", b"sub/data"}
    assert digests[b"sub/data"].sha256 == hashlib.sha256(b"d" * 3_000_000).hexdigest()
    found = root.stat(b"run")
    assert (found.st_mode & 0o7777, found.st_mtime_ns) == (0o755, 2)
    assert root.stat(b"sub").st_mode & 0o777 == 0o555
    assert root.names(b"sub/empty") == []
    sync_tree(root)
    assert dict(hash_tree(root, CancelToken())) == dict(digests)


def test_links_and_pipes_make_a_source_unfit(root: Directory, source: Path) -> None:
    (source / "link").symlink_to("run")
    with Directory.open(os.fsencode(source)) as opened, pytest.raises(NotARegularFile):
        copy_tree(opened, root, CancelToken())


def test_a_source_written_to_meanwhile_is_noticed(
    root: Directory, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Reader.copy

    def slow(*arguments: object) -> object:
        digest = write(*arguments)  # type: ignore[arg-type]
        with (source / "run").open("ab") as file:
            file.write(b"more")
        return digest

    monkeypatch.setattr(Reader, "copy", slow)
    with Directory.open(os.fsencode(source)) as opened, pytest.raises(Changed):
        copy_tree(opened, root, CancelToken())


def test_stops_when_asked(root: Directory, source: Path) -> None:
    token = CancelToken()
    token.cancel()
    with Directory.open(os.fsencode(source)) as opened, pytest.raises(Cancelled):
        copy_tree(opened, root, token)


def test_removal_does_not_follow_links_or_touch_modes_of_files(
    root: Directory, outside: Path
) -> None:
    with root.make_directory(b"tree") as tree:
        os.symlink(os.fsencode(outside), b"out", dir_fd=tree.fd)
        os.link(outside / "canary", b"hard", dst_dir_fd=tree.fd)
        tree.make_directory(b"closed", 0o500).close()
        os.mkfifo(b"fifo", dir_fd=tree.fd)
    before = (outside / "canary").stat()
    remove_tree(root, b"tree")
    after = (outside / "canary").stat()
    assert (after.st_mode, after.st_nlink, after.st_uid) == (before.st_mode, 1, before.st_uid)
    assert root.names() == []


def test_removing_a_link_leaves_where_it_leads(root: Directory, outside: Path) -> None:
    os.symlink(os.fsencode(outside), b"link", dir_fd=root.fd)
    remove_tree(root, b"link")
    remove_tree(root, b"link")
    assert (outside / "canary").exists()


def test_a_directory_moved_away_ends_the_removal(
    root: Directory, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with root.make_directory(b"tree") as tree, tree.make_directory(b"a") as a:
        a.make_directory(b"b").close()
    listed = Directory.names

    def move_then_list(self: Directory, relative: bytes = b"") -> list[bytes]:
        if self.path.endswith(b"/b"):
            os.rename(b"tree/a/b", os.fsencode(outside / "b"), src_dir_fd=root.fd)
        return listed(self, relative)

    monkeypatch.setattr(Directory, "names", move_then_list)
    with pytest.raises(Changed):
        remove_tree(root, b"tree")
    assert sorted(os.listdir(outside)) == ["b", "canary"]


@pytest.mark.usefixtures("only_root")
def test_removal_stops_at_a_mount(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
from cachewright.errors import Escapes
from cachewright.storage.anchored import Directory
from cachewright.storage.removal import remove_tree
top = os.fsencode(sys.argv[1])
subprocess.run(["mount", "--bind", top + b"/outside", top + b"/tree/mounted"], check=True)
with Directory.open(top) as root:
    try:
        remove_tree(root, b"tree")
    except Escapes:
        print("stopped", os.listdir(top + b"/outside"))
"""
    (tmp_path / "tree" / "mounted").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").touch()
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mount namespace here")
    command = ["unshare", "-m", sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    assert done.stdout == "stopped [b'canary']\n"
