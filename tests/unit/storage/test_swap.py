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


def test_syncing_a_closed_directory_is_an_error(root: Directory) -> None:
    sync_directory(root)
    gone = Directory(os.dup(root.fd), root.path)
    os.close(gone.fd)
    with pytest.raises(OSError, match="Bad file"):
        sync_directory(gone)
    gone.fd = -1
