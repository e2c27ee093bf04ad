from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from cachewright.errors import (
    Escapes,
    NotARegularFile,
    RootMissing,
    RootNotADirectory,
    RootUnreadable,
    TooLarge,
)
from cachewright.storage.anchored import Directory


def put(root: Directory, name: bytes, content: bytes = b"x", mode: int = 0o644) -> None:
    fd = root.create_file(name, mode)
    os.write(fd, content)
    os.close(fd)


def test_opens_through_a_link_once_and_stays_with_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Directory.open(os.fsencode(tmp_path / "link")) as root:
        (tmp_path / "real").rename(tmp_path / "elsewhere")
        (tmp_path / "real").mkdir()
        put(root, b"f")
        assert (tmp_path / "elsewhere" / "f").exists()
        assert root.path == os.fsencode(tmp_path / "real")


@pytest.mark.parametrize(
    ("name", "error"),
    [(b"missing", RootMissing), (b"file", RootNotADirectory), (b"a\0b", RootUnreadable)],
)
def test_says_why_a_root_cannot_be_opened(
    tmp_path: Path, name: bytes, error: type[Exception]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(error):
        Directory.open(os.fsencode(tmp_path) + b"/" + name)


def test_a_link_loop_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(RootNotADirectory):
        Directory.open(os.fsencode(tmp_path / "a"))


@pytest.mark.parametrize("name", [b"..", b"../outside/canary", b"a/../../outside", b"/etc", b"a\0"])
def test_names_that_lead_out_are_refused(root: Directory, outside: Path, name: bytes) -> None:
    del outside
    root.make_directory(b"a").close()
    for act in (root.stat, root.open_file, root.open_directory, root.exists, root.parent_of):
        with pytest.raises(Escapes):
            act(name)


def test_a_link_on_the_way_is_never_followed(root: Directory, outside: Path) -> None:
    os.symlink(os.fsencode(outside), b"link", dir_fd=root.fd)
    for act in (root.stat, root.open_file, root.open_directory, root.exists):
        with pytest.raises(Escapes):
            act(b"link/canary")
    with pytest.raises(Escapes):
        root.open_directory(b"link")


def test_a_link_inside_that_leads_inside_is_not_followed_either(root: Directory) -> None:
    root.make_directory(b"a").close()
    os.symlink(b"a", b"b", dir_fd=root.fd)
    with pytest.raises(Escapes):
        root.names(b"b")


def test_a_link_is_seen_as_what_it_is(root: Directory, outside: Path) -> None:
    os.symlink(os.fsencode(outside / "canary"), b"link", dir_fd=root.fd)
    os.symlink(b"nowhere", b"dangling", dir_fd=root.fd)
    assert root.read_link(b"link") == os.fsencode(outside / "canary")
    assert root.exists(b"dangling")
    with pytest.raises(NotARegularFile):
        root.open_file(b"link")


def test_only_regular_files_are_opened(root: Directory) -> None:
    os.mkfifo(b"fifo", dir_fd=root.fd)
    root.make_directory(b"dir").close()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{root.fd}/socket")
    for name in (b"fifo", b"dir", b"socket"):
        with pytest.raises(NotARegularFile):
            root.open_file(name)


def test_never_makes_what_it_was_asked_to_open(root: Directory) -> None:
    with pytest.raises(FileNotFoundError):
        root.open_file(b"new", os.O_RDWR | os.O_CREAT)
    assert root.names() == []


def test_descriptors_are_not_inherited_and_do_not_block(root: Directory) -> None:
    put(root, b"f")
    fd = root.open_file(b"f")
    assert not os.get_inheritable(fd)
    assert not os.get_blocking(fd)
    os.close(fd)


def test_reads_whole_files_up_to_a_limit(root: Directory) -> None:
    put(root, b"f", b"12345")
    assert root.read(b"f", 5) == b"12345"
    with pytest.raises(TooLarge):
        root.read(b"f", 4)


def test_names_are_bytes_and_sorted(root: Directory) -> None:
    for name in (b"b", b"\xff\xfe", b"a\nb", b"\x01"):
        put(root, name)
    assert root.names() == [b"\x01", b"a\nb", b"b", b"\xff\xfe"]
    assert root.read(b"\xff\xfe", 1) == b"x"


def test_creating_never_follows_or_overwrites(root: Directory, outside: Path) -> None:
    os.symlink(os.fsencode(outside / "new"), b"link", dir_fd=root.fd)
    put(root, b"f")
    for name in (b"link", b"f"):
        with pytest.raises(FileExistsError):
            root.create_file(name, 0o644)
        with pytest.raises(FileExistsError):
            root.make_directory(name)
    assert not (outside / "new").exists()


@pytest.mark.parametrize("name", [b"a/b", b"", b".", b".."])
def test_only_a_single_name_is_created(root: Directory, name: bytes) -> None:
    with pytest.raises(Escapes):
        root.create_file(name, 0o644)


def test_modes_are_not_masked(root: Directory) -> None:
    put(root, b"f", mode=0o666)
    assert root.stat(b"f").st_mode & 0o777 == 0o666
    root.make_directory(b"d", 0o777).close()
    assert root.stat(b"d").st_mode & 0o777 == 0o777


@pytest.mark.parametrize("what", ["fchmod", "open"])
def test_what_cannot_be_made_as_wanted_is_not_left_there(
    root: Directory, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr("cachewright.storage.anchored.os.fchmod", failing)
        if what == "open":
            patched.setattr(Directory, "open_directory", failing)
        with pytest.raises(OSError, match="Read-only"):
            root.create_file(b"f", 0o644)
        with pytest.raises(OSError, match="Read-only"):
            root.make_directory(b"d")
    assert root.names() == []


def test_parent_of_gives_the_directory_and_the_name(root: Directory) -> None:
    root.make_directory(b"a").close()
    parent, name = root.parent_of(b"a/f")
    with parent:
        assert (name, parent.identity.inode) == (b"f", root.stat(b"a").st_ino)
    with pytest.raises(Escapes):
        root.parent_of(b"")


def test_reaches_below_the_longest_path_the_kernel_takes(root: Directory) -> None:
    name = b"d" * 200
    at = Directory(os.dup(root.fd), root.path)
    for _ in range(30):
        below = at.make_directory(name)
        at.close()
        at = below
    put(at, b"f", b"deep")
    at.close()
    deep = b"/".join([name] * 30)
    assert len(deep) > 4096
    assert root.read(deep + b"/f", 10) == b"deep"
    assert root.names(deep) == [b"f"]


def test_a_failure_leaves_no_descriptor_open(root: Directory) -> None:
    root.make_directory(b"a").close()
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            root.open_directory(b"a/b")
        with pytest.raises(FileNotFoundError):
            root.open_file(b"a/" + b"/".join([b"n" * 250] * 20) + b"/f")
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    root = Directory.open(os.fsencode(tmp_path))
    root.close()
    root.close()
    with pytest.raises(OSError, match="descriptor") as caught:
        root.names()
    assert caught.value.errno == errno.EBADF
