"""A cache that lies in several directories is told as one inventory, while it is read and after."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cachewright.demo.provider import Provider, unpack
from cachewright.inventory.tree import Tree
from cachewright.model import EntryReport
from cachewright.workbench import Options, Unwatched, Workbench
from cachewright.workbench.parts import Told

QUICK = Options(floor_s=0.0, observe_s=0.0, settle_s=0.0, environment={})


class Watching(Unwatched):
    """Where every entry lay in the inventory of its time."""

    def __init__(self) -> None:
        self.last: Tree | None = None
        self.seen: set[tuple[str, bytes]] = set()

    def tree(self, tree: Tree) -> None:
        self.last = tree

    def entries(self, entries: Sequence[EntryReport]) -> None:
        assert self.last is not None
        self.seen |= {(one.name, self.last.absolute(b"", one.row)) for one in entries}


@pytest.fixture
def benches(tmp_path: Path) -> Iterator[dict[str, Workbench]]:
    opened: dict[str, Workbench] = {}
    for name, providers in (("fast", ("toy", "other")), ("slow", ("third",))):
        for one in providers:
            unpack(Provider(one, "1.0.0"), str(tmp_path / name))
        opened[name] = Workbench.open(os.fsencode(tmp_path / name), options=QUICK)
    yield opened
    for bench in opened.values():
        bench.close()


def test_each_entry_has_its_row_in_the_whole(benches: dict[str, Workbench]) -> None:
    watching = Watching()
    told = Told(watching, {name: bench.root for name, bench in benches.items()})
    for bench in benches.values():
        told.add(bench.check(told.of_next()), bench.tree)
    whole = told.tree()
    entries = [entry for result in told.results for entry in result.entries]
    assert len(entries) == 3
    for entry in entries:
        assert whole.absolute(b"", entry.row) == entry.path
    assert watching.seen == {(entry.name, entry.path) for entry in entries}
    assert {whole.path(entry.row).partition(b"/")[0] for entry in entries} == {b"fast", b"slow"}
