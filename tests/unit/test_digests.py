"""Digests of files and directories against values that other tools made."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cachewright.digests import FileDigest, h1, hash_file
from cachewright.errors import Cancelled
from cachewright.model import CancelToken

TOY = {
    b"terraform-provider-toy_v1.2.3_x5": b"#!/bin/sh\necho toy\n",
    b"LICENSE.txt": b"MIT\n",
    b"docs/README.md": b"hi\n",
}


def digests(files: dict[bytes, bytes]) -> dict[bytes, FileDigest]:
    return {
        name: FileDigest(len(data), 0o100644, {"sha256": hashlib.sha256(data).hexdigest()})
        for name, data in files.items()
    }


def test_h1_is_what_terraform_recorded() -> None:
    assert h1(digests(TOY)) == "nq38iL/p5xodLG7GnxfF0jTrBXLnI1aWa7WENa3ohyQ="


def test_h1_of_nothing() -> None:
    assert h1({}) == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_h1_does_not_depend_on_the_order_given() -> None:
    assert h1(digests(dict(reversed(TOY.items())))) == h1(digests(TOY))


def test_h1_refuses_a_name_with_a_line_break() -> None:
    with pytest.raises(ValueError, match="line break"):
        h1(digests({b"a\nb": b""}))


def test_h1_needs_sha256() -> None:
    with pytest.raises(KeyError):
        h1({b"a": FileDigest(0, 0, {"md5": "00"})})


@pytest.mark.parametrize("size", [0, 1, 4096, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_hash_file_over_block_borders(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    try:
        count, values = hash_file(fd, ("sha256", "md5"), CancelToken())
    finally:
        os.close(fd)
    assert count == size
    assert values == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }


def test_a_buffer_may_be_reused(tmp_path: Path) -> None:
    buffer = bytearray(64)
    for data in (b"x" * 100, b"short"):
        (tmp_path / "f").write_bytes(data)
        fd = os.open(tmp_path / "f", os.O_RDONLY)
        try:
            assert hash_file(fd, ("sha1",), CancelToken(), buffer) == (
                len(data),
                {"sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest()},
            )
        finally:
            os.close(fd)


def test_a_sparse_giant_is_left_when_cancelled(tmp_path: Path) -> None:
    class AfterThree(CancelToken):
        blocks = 0

        def check(self) -> None:
            self.blocks += 1
            if self.blocks > 3:
                self.cancel()
            super().check()

    with (tmp_path / "giant").open("wb") as file:
        file.truncate(1 << 42)
    fd = os.open(tmp_path / "giant", os.O_RDONLY)
    try:
        with pytest.raises(Cancelled):
            hash_file(fd, ("sha256",), AfterThree())
        assert os.lseek(fd, 0, os.SEEK_CUR) == 3 << 20
    finally:
        os.close(fd)


def test_an_unknown_algorithm_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    try:
        with pytest.raises(ValueError, match="nonesuch"):
            hash_file(fd, ("nonesuch",), CancelToken())
    finally:
        os.close(fd)
