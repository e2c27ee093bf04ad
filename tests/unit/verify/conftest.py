"""Entries to be verified, and the processes that do it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.model import CancelToken, ProgressSink, no_progress
from cachewright.storage.anchored import Directory
from cachewright.verify import EntryFiles, Verified, verify


@pytest.fixture
def at(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def root(at: Path) -> Iterator[Directory]:
    with Directory.open(os.fsencode(at)) as opened:
        yield opened


class Verify(Protocol):
    def __call__(
        self,
        tree: Tree | None = ...,
        *algorithms: str,
        progress: ProgressSink = ...,
        cancel: CancelToken | None = ...,
    ) -> Verified: ...


@pytest.fixture
def verified(root: Directory) -> Verify:
    """Verify the whole root as one entry, by an inventory taken now or before."""

    def run(
        tree: Tree | None = None,
        *algorithms: str,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> Verified:
        job = EntryFiles(1, root, b"", tree or scan_subtree(root), 0)
        (one,) = verify(
            [job], algorithms or ("sha256",), progress=progress, cancel=cancel or CancelToken()
        )
        return one

    return run


@pytest.fixture
def workers() -> Callable[[], list[psutil.Process]]:
    """The worker processes that run now."""

    def find() -> list[psutil.Process]:
        return [
            child
            for child in psutil.Process().children()
            if "cachewright.hashing.worker" in child.cmdline()
        ]

    return find


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(workers: Callable[[], list[psutil.Process]]) -> Iterator[None]:
    yield
    assert not workers()
    assert not [one for one in threading.enumerate() if one.name == "cachewright-hash"]


@pytest.fixture
def powerless() -> list[str]:
    """How a command is begun that may read no more than permissions say, also for root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
