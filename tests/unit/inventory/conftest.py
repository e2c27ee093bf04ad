"""Trees to be scanned, and what the scan's worker processes do meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cachewright.inventory.tree import Tree
from cachewright.inventory.walker import scan
from cachewright.model import CancelToken, ProgressSink, Rule, no_progress
from cachewright.storage.anchored import Directory


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / "cache").mkdir()
    with Directory.open(os.fsencode(tmp_path / "cache")) as opened:
        yield opened


@pytest.fixture
def at(root: Directory) -> Path:
    """The same place as a path, to make things in."""
    return Path(os.fsdecode(root.path))


@pytest.fixture
def scanned(root: Directory) -> Callable[..., Tree]:
    def run(
        *rules: Rule,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
        on_rows: Callable[[Tree], None] | None = None,
        workers: int = 2,
    ) -> Tree:
        token = cancel or CancelToken()
        return scan(root, rules, progress=progress, cancel=token, workers=workers, on_rows=on_rows)

    return run


@pytest.fixture
def wide(at: Path) -> Path:
    """More than one answer's worth: what is asked for first is never all."""
    for number in range(40):
        (at / f"d{number:02}").mkdir()
        for name in range(50):
            (at / f"d{number:02}" / f"f{name}").write_bytes(b"x" * name)
    return at


@pytest.fixture
def workers() -> Callable[[], list[psutil.Process]]:
    """The worker processes that run now."""

    def find() -> list[psutil.Process]:
        return [
            child
            for child in psutil.Process().children()
            if "cachewright.inventory.worker" in child.cmdline()
        ]

    return find


@pytest.fixture
def powerless() -> list[str]:
    """How a command is begun that may read no more than permissions say, also for root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
