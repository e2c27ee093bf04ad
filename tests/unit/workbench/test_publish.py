from __future__ import annotations

import os
from pathlib import Path

import pytest

from cachewright.errors import Cancelled
from cachewright.model import CancelToken
from cachewright.workbench import Options, Workbench

MANY = 64
"""Looks at a token; a walk over a handful of files needs fewer."""


class Patience(CancelToken):
    """Has enough after a number of looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def check(self) -> None:
        self.looks -= 1
        if not self.looks:
            self.cancel()
        super().check()


def test_a_source_is_not_hashed_to_its_end_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    """Whether a source fits shows before anything is done; of a huge one, after hours."""
    root, mirror = tmp_path / "cache", tmp_path / "mirror"
    for folder in (root, mirror):
        folder.mkdir()
        (folder / "disk.img").touch()
    (root / "SHA256SUMS").write_text(f"{'0' * 64}  disk.img\n")
    with (mirror / "disk.img").open("wb") as file:
        file.truncate(1 << 30)
    token = Patience(MANY)
    with (
        Workbench.open(os.fsencode(root), format_name="checksums", options=Options()) as bench,
        pytest.raises(Cancelled),
    ):
        bench.publish("disk.img", os.fsencode(mirror / "disk.img"), cancel=token)
    assert token.cancelled
