"""A pinned temporary directory, with and without the kernel's own resolution."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cachewright.storage import beneath
from cachewright.storage.anchored import Directory


@pytest.fixture(params=["openat2", "by component"])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Directory]:
    """Both ways of resolving must give the same answers."""
    if request.param == "by component":
        monkeypatch.setattr(beneath, "has_openat2", lambda: False)
    elif not beneath.has_openat2():
        pytest.skip("this kernel has no openat2")
    (tmp_path / "root").mkdir()
    with Directory.open(os.fsencode(tmp_path / "root")) as directory:
        yield directory


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory beside the root with a file that nobody may reach from it."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "canary").write_bytes(b"canary")
    return place
