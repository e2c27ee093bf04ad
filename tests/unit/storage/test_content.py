"""Holes stay holes, are hashed as zeros, and cannot keep anybody busy for hours."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cachewright.errors import Cancelled, Changed, TooLarge
from cachewright.model import CancelToken
from cachewright.storage import content
from cachewright.storage.anchored import Directory
from cachewright.storage.content import Hole, pieces
from cachewright.storage.copying import copy_tree
from cachewright.storage.reading_back import hash_tree

MIB = 1 << 20
TIB = 1 << 40


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "source"
    place.mkdir()
    return place


def sparse(path: Path, size: int, *data: tuple[int, bytes]) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for at, block in data:
            file.seek(at)
            file.write(block)
    return path


def copied(source: Path, root: Directory) -> Path:
    token = CancelToken()
    with Directory.open(os.fsencode(source)) as opened:
        told = copy_tree(opened, root, token)
    assert dict(hash_tree(root, token)) == dict(told)
    for name, digest in told.items():
        with open(source / os.fsdecode(name), "rb") as file:
            assert digest.sha256 == hashlib.file_digest(file, "sha256").hexdigest()
    return Path(os.fsdecode(root.path))


@pytest.mark.parametrize(
    ("size", "data"),
    [
        (0, ()),
        (5 * MIB, ()),
        (5 * MIB + 7, ((0, b"start"),)),
        (9 * MIB, ((4 * MIB, b"middle" * 1000), (9 * MIB - 3, b"end"))),
        (3 * MIB, ((MIB, b"x" * 2 * MIB),)),
    ],
    ids=["empty", "all hole", "hole at the end", "in between", "hole at the start"],
)
def test_holes_are_hashed_as_zeros_and_stay_holes(
    root: Directory, source: Path, size: int, data: tuple[tuple[int, bytes], ...]
) -> None:
    original = sparse(source / "file", size, *data).stat()
    copy = (copied(source, root) / "file").stat()
    assert copy.st_size == size
    assert copy.st_blocks <= original.st_blocks
    assert (Path(os.fsdecode(root.path)) / "file").read_bytes() == (source / "file").read_bytes()


def test_pieces_are_told_as_they_lie(source: Path) -> None:
    sparse(source / "file", 4 * MIB, (MIB, b"x" * MIB))
    fd = os.open(source / "file", os.O_RDONLY)
    try:
        found = [
            one.length if isinstance(one, Hole) else -len(one)
            for one in pieces(fd, 4 * MIB, CancelToken())
        ]
    finally:
        os.close(fd)
    assert found == [MIB, -MIB, 2 * MIB]


def test_without_word_of_holes_all_is_data(
    root: Directory, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sparse(source / "file", 3 * MIB, (MIB, b"x"))
    seek = os.lseek

    def unknown(fd: int, at: int, how: int) -> int:
        if how in {os.SEEK_DATA, os.SEEK_HOLE}:
            raise OSError(22, "Invalid argument")
        return seek(fd, at, how)

    monkeypatch.setattr(content.os, "lseek", unknown)
    copied(source, root)


def test_a_giant_hole_is_refused_at_once(root: Directory, source: Path) -> None:
    """8 TiB of zeros would take hours to hash, and no digest can be had without."""
    sparse(source / "giant", 8 * TIB, (4 * TIB, b"x"))
    with Directory.open(os.fsencode(source)) as opened:
        with pytest.raises(TooLarge, match="never written"):
            copy_tree(opened, root, CancelToken())
        with pytest.raises(TooLarge, match="never written"):
            hash_tree(opened, CancelToken())


def test_holes_of_many_files_count_together(
    root: Directory, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content.Holes.__init__, "__defaults__", (5 * MIB,))
    for number in range(3):
        sparse(source / f"{number}", 2 * MIB)
    with Directory.open(os.fsencode(source)) as opened, pytest.raises(TooLarge):
        copy_tree(opened, root, CancelToken())


def test_hashing_a_hole_can_be_stopped(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse(source / "large", 64 << 30)
    token = CancelToken()
    hashed: list[int] = []
    data = content.Hashing.data

    def then_stop(self: content.Hashing, block: memoryview) -> None:
        data(self, block)
        hashed.append(len(block))
        if len(hashed) == 3:
            token.cancel()

    monkeypatch.setattr(content.Hashing, "data", then_stop)
    with Directory.open(os.fsencode(source)) as opened, pytest.raises(Cancelled):
        hash_tree(opened, token)
    assert hashed == [MIB] * 3


def test_a_file_that_grows_is_read_to_where_it_ended_and_told(
    root: Directory, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "log").write_bytes(b"x" * 10)
    read = os.preadv

    def then_more(fd: int, buffers: list[memoryview], at: int) -> int:
        with (source / "log").open("ab") as file:
            file.write(b"more" * 1000)
        return read(fd, buffers, at)

    monkeypatch.setattr(content.os, "preadv", then_more)
    with Directory.open(os.fsencode(source)) as opened:
        with pytest.raises(Changed):
            copy_tree(opened, root, CancelToken())
        with pytest.raises(Changed):
            hash_tree(opened, CancelToken())
    assert root.stat(b"log").st_size == 10


def test_several_names_of_one_file_are_read_once(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "one").write_bytes(b"content")
    for number in range(5):
        (source / f"{number}").hardlink_to(source / "one")
    read: list[int] = []
    real = content.Reader.hash

    def counted(self: content.Reader, fd: int, path: bytes) -> object:
        read.append(fd)
        return real(self, fd, path)

    monkeypatch.setattr(content.Reader, "hash", counted)
    with Directory.open(os.fsencode(source)) as opened:
        digests = hash_tree(opened, CancelToken())
    assert (len(digests), len(read)) == (6, 1)
