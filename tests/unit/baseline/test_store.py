"""Where baselines lie, and that none is lost or believed that should not be."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cachewright.baseline import Baseline, Baselines, FileRecord, store
from cachewright.errors import BaselineExists, BaselineNotKept, BaselineUnusable

ROOT = b"/caches/one"
TAKEN = Baseline(ROOT, 7, "clcache", 10**18, {"one": {b"object": FileRecord(3, "ab" * 32)}})


@pytest.fixture
def known(tmp_path: Path) -> Baselines:
    return Baselines(os.fsencode(tmp_path / "state"))


def test_looking_for_one_makes_nothing(known: Baselines, tmp_path: Path) -> None:
    assert known.of(ROOT) is None
    assert os.listdir(tmp_path) == []


def test_each_root_has_its_own(known: Baselines) -> None:
    other = replace(TAKEN, root=b"/caches/\xff")
    known.keep(TAKEN, replace=False)
    known.keep(other, replace=False)
    assert (known.of(ROOT), known.of(other.root)) == (TAKEN, other)
    assert known.of(b"/caches") is None
    assert os.stat(known.path_of(ROOT)).st_mode & 0o777 == 0o600


def test_a_second_one_needs_to_be_meant(known: Baselines) -> None:
    known.keep(TAKEN, replace=False)
    second = replace(TAKEN, inode=8)
    with pytest.raises(BaselineExists, match="2001-09-09 01:46 UTC"):
        known.keep(second, replace=False)
    assert known.of(ROOT) == TAKEN
    known.keep(second, replace=True)
    assert known.of(ROOT) == second


def test_one_of_another_root_is_not_believed(known: Baselines) -> None:
    known.keep(TAKEN, replace=False)
    os.rename(known.path_of(ROOT), known.path_of(b"/other"))
    with pytest.raises(BaselineUnusable, match="another directory"):
        known.of(b"/other")


def test_damage_links_pipes_and_giants_are_told(
    known: Baselines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.keep(TAKEN, replace=False)
    path = Path(os.fsdecode(known.path_of(ROOT)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(BaselineUnusable, match="no JSON"):
        known.of(ROOT)
    with pytest.raises(BaselineUnusable):
        known.keep(TAKEN, replace=False)
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(whole)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BaselineUnusable, match="no plain file"):
        known.of(ROOT)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BaselineUnusable, match="no plain file"):
        known.of(ROOT)
    path.unlink()
    path.write_bytes(whole)
    monkeypatch.setattr(store, "LIMIT", len(whole) - 1)
    with pytest.raises(BaselineUnusable, match="too large"):
        known.of(ROOT)
    with pytest.raises(BaselineNotKept, match="too large"):
        known.keep(TAKEN, replace=True)
    assert path.read_bytes() == whole


def test_one_that_cannot_be_written_leaves_the_former(
    known: Baselines, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.keep(TAKEN, replace=False)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(BaselineNotKept, match="No space left"):
        known.keep(replace(TAKEN, inode=8), replace=True)
    assert known.of(ROOT) == TAKEN
    assert len(os.listdir(os.path.dirname(known.path_of(ROOT)))) == 1
