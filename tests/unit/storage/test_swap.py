from __future__ import annotations

import errno
import os

import pytest

from cachewright.storage import swap
from cachewright.storage.anchored import Directory
from cachewright.storage.swap import (
    ExchangeUnsupported,
    exchange,
    rename_noreplace,
    supports_exchange,
    sync_directory,
)


@pytest.fixture(params=["kernel", "without renameat2"])
def any_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "kernel":
        monkeypatch.setattr(swap, "_renameat2", lambda: None)
    return str(request.param)


def make(root: Directory, name: bytes, kind: str) -> int:
    if kind == "directory":
        with root.make_directory(name) as made:
            made.make_directory(b"inside").close()
    elif kind == "link":
        os.symlink(b"nowhere", name, dir_fd=root.fd)
    else:
        os.close(root.create_file(name, 0o600))
    return root.stat(name).st_ino


@pytest.mark.usefixtures("any_kernel")
@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_moves_to_a_free_name(root: Directory, kind: str) -> None:
    inode = make(root, b"old", kind)
    with root.make_directory(b"other") as other:
        rename_noreplace(root, b"old", other, b"new")
        assert other.stat(b"new").st_ino == inode
    assert not root.exists(b"old")


@pytest.mark.usefixtures("any_kernel")
@pytest.mark.parametrize("kind", ["directory", "file", "link"])
@pytest.mark.parametrize("there", ["directory", "file", "link"])
def test_never_replaces(root: Directory, kind: str, there: str) -> None:
    before = make(root, b"old", kind), make(root, b"new", there)
    with pytest.raises(FileExistsError):
        rename_noreplace(root, b"old", root, b"new")
    assert (root.stat(b"old").st_ino, root.stat(b"new").st_ino) == before


@pytest.mark.usefixtures("any_kernel")
def test_an_empty_directory_is_not_replaced_either(root: Directory) -> None:
    make(root, b"old", "directory")
    root.make_directory(b"new").close()
    with pytest.raises(FileExistsError):
        rename_noreplace(root, b"old", root, b"new")


@pytest.mark.usefixtures("any_kernel")
def test_what_is_missing_stays_missing(root: Directory) -> None:
    with pytest.raises(FileNotFoundError):
        rename_noreplace(root, b"old", root, b"new")
    assert root.names() == []


def test_the_fallback_claims_no_name_when_the_move_fails(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    with root.make_directory(b"old") as old, pytest.raises(OSError, match="Invalid") as caught:
        rename_noreplace(root, b"old", old, b"into-itself")
    assert caught.value.errno == errno.EINVAL
    assert root.names(b"old") == []


def test_exchanges_different_kinds(root: Directory) -> None:
    inodes = make(root, b"a", "directory"), make(root, b"b", "link")
    exchange(root, b"a", root, b"b")
    assert (root.stat(b"b").st_ino, root.stat(b"a").st_ino) == inodes


def test_an_exchange_with_nothing_is_an_error(root: Directory) -> None:
    make(root, b"a", "file")
    with pytest.raises(FileNotFoundError):
        exchange(root, b"a", root, b"b")


def test_no_exchange_is_ever_imitated(root: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    inodes = make(root, b"a", "file"), make(root, b"b", "file")
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    with pytest.raises(ExchangeUnsupported):
        exchange(root, b"a", root, b"b")
    assert (root.stat(b"a").st_ino, root.stat(b"b").st_ino) == inodes


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b", b"a\0"])
def test_only_single_names_are_moved(root: Directory, name: bytes) -> None:
    make(root, b"a", "file")
    with pytest.raises(ValueError, match="single name"):
        rename_noreplace(root, b"a", root, name)
    with pytest.raises(ValueError, match="single name"):
        exchange(root, name, root, b"a")


def test_the_probe_tells_and_leaves_nothing(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supports_exchange(root)
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    assert not supports_exchange(root)
    assert root.names() == []


def test_a_failed_sync_is_final(root: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel would call the lost names clean the second time."""
    asked: list[int] = []

    def once(fd: int) -> None:
        asked.append(fd)
        if len(asked) == 1:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(swap.os, "fsync", once)
    for _try in range(3):
        with pytest.raises(OSError, match="Input/output error") as caught:
            sync_directory(root)
        assert caught.value.errno == errno.EIO
    assert asked == [root.fd]


def test_a_file_system_that_knows_no_sync_of_directories_is_taken_at_its_word(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_fd: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(swap.os, "fsync", unknown)
    sync_directory(root)
    sync_directory(root)
    assert root.sync_error == 0


def test_the_claim_of_the_fallback_is_left_where_another_filled_it(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    make(root, b"old", "directory")
    rename = os.rename

    def after_another(src: bytes, dst: bytes, **where: int) -> None:
        os.chmod(b"new", 0o700, dir_fd=root.fd)
        os.close(os.open(b"new/theirs", os.O_CREAT | os.O_WRONLY, dir_fd=root.fd))
        rename(src, dst, **where)

    monkeypatch.setattr(swap.os, "rename", after_another)
    with pytest.raises(OSError, match="not empty"):
        rename_noreplace(root, b"old", root, b"new")
    assert (root.names(b"old"), root.names(b"new")) == ([b"inside"], [b"theirs"])


def test_what_another_made_in_the_place_of_the_claim_is_left_too(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    make(root, b"old", "directory")

    def fails_after_another(*_names: bytes, **_where: int) -> None:
        os.rmdir(b"new", dir_fd=root.fd)
        os.mkdir(b"new", dir_fd=root.fd)
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(swap.os, "rename", fails_after_another)
    with pytest.raises(OSError, match="cross-device"):
        rename_noreplace(root, b"old", root, b"new")
    assert root.names() == [b"new", b"old"]


def test_the_fallback_takes_no_name_from_another(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old name was given to another file between the two steps: that one keeps it."""
    monkeypatch.setattr(swap, "_renameat2", lambda: None)
    inode = make(root, b"old", "file")
    link = os.link

    def then_another(*names: bytes, **where: object) -> None:
        link(*names, **where)  # type: ignore[arg-type]
        os.close(root.create_file(b"theirs", 0o600))
        os.rename(b"theirs", b"old", src_dir_fd=root.fd, dst_dir_fd=root.fd)

    monkeypatch.setattr(swap.os, "link", then_another)
    rename_noreplace(root, b"old", root, b"new")
    assert root.stat(b"new").st_ino == inode
    assert root.stat(b"old").st_ino != inode


def test_syncing_a_closed_directory_is_an_error(root: Directory) -> None:
    sync_directory(root)
    gone = Directory(os.dup(root.fd), root.path)
    os.close(gone.fd)
    with pytest.raises(OSError, match="Bad file"):
        sync_directory(gone)
    gone.fd = -1
