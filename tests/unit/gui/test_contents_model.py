"""The flat tree: expand, collapse, sort and grow, against a plain recursion."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from PySide6.QtCore import QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cachewright.inventory.columns import Growing
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.model import EntryReport, EntryVerdict
from cachewright.storage.anchored import Directory
from cachewright_gui.inventory_view import Inventory, Marks
from cachewright_gui.jobs import Jobs
from cachewright_gui.models.contents_model import CHANGED, NAME, SIZE, VERDICT, ContentsModel
from cachewright_gui.models.ordering import Orders

_DIRECTORY, _FILE = 0o040755, 0o100644
_scans = itertools.count(1)


class Seed:
    """A tree that grows as a scan does: whole directories, in any order."""

    def __init__(self) -> None:
        self.names = [b""]
        self.parents = [0]
        self.modes = [_DIRECTORY]
        self.sizes = [0]
        self.ranges: dict[int, tuple[int, int]] = {}

    def read(self, directory: int, children: list[tuple[bytes, bool, int]]) -> None:
        first = len(self.names)
        for name, is_directory, size in children:
            self.names.append(name)
            self.parents.append(directory)
            self.modes.append(_DIRECTORY if is_directory else _FILE)
            self.sizes.append(0 if is_directory else size)
        self.ranges[directory] = (first, len(children))

    def unread(self) -> list[int]:
        return [
            row
            for row, mode in enumerate(self.modes)
            if mode == _DIRECTORY and row not in self.ranges
        ]

    def tree(self) -> Tree:
        growing = Growing()
        growing.add_root()
        count = len(self.names)
        growing._reserve(count, sum(len(name) + 1 for name in self.names))
        arrays = growing._arrays
        arrays["mode"][:count] = self.modes
        arrays["size"][:count] = self.sizes
        arrays["parent"][:count] = self.parents
        for row in range(1, count):
            arrays["depth"][row] = arrays["depth"][self.parents[row]] + 1
        for row, (first, number) in self.ranges.items():
            arrays["first"][row], arrays["count"][row] = first, number
        text = b"".join(name + b"/" for name in self.names)
        arrays["names"][: len(text)] = np.frombuffer(text, np.uint8)
        arrays["offsets"][1 : count + 1] = np.cumsum([len(name) + 1 for name in self.names])
        growing._rows, growing._name_bytes = count, len(text)
        return Tree(growing.snapshot())


NAMES = st.binary(min_size=1, max_size=3).filter(
    lambda name: b"/" not in name and b"\0" not in name
)
CHILDREN = st.lists(
    st.tuples(NAMES, st.booleans(), st.integers(0, 1000)),
    max_size=5,
    unique_by=lambda child: child[0],
)


class Contents(RuleBasedStateMachine):
    """Expanding, collapsing, sorting and scanning in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.app = QApplication.instance() or QApplication([])
        self.model = ContentsModel()
        self.tester = QAbstractItemModelTester(
            self.model, QAbstractItemModelTester.FailureReportingMode.Fatal
        )
        self.seed = Seed()
        self.scan = next(_scans)
        self.order = ("name", False)
        self.held: list[tuple[bytes, QPersistentModelIndex]] = []

    @initialize(children=CHILDREN)
    def begin(self, children: list[tuple[bytes, bool, int]]) -> None:
        self.show()
        self.seed.read(0, children)
        self.show()

    def show(self) -> None:
        self.model.show(Inventory.of(self.scan, self.seed.tree()), Marks())

    @rule(data=st.data(), children=CHILDREN)
    def read_one(self, data: st.DataObject, children: list[tuple[bytes, bool, int]]) -> None:
        unread = self.seed.unread()
        if unread:
            self.seed.read(data.draw(st.sampled_from(unread)), children)
            self.show()

    @rule(data=st.data())
    def turn(self, data: st.DataObject) -> None:
        if not len(self.model.rows):
            return
        place = data.draw(st.integers(0, len(self.model.rows) - 1))
        if self.model.is_open(int(self.model.rows[place])):
            self.model.collapse(place)
        else:
            self.model.expand(place)

    @rule(column=st.sampled_from([NAME, VERDICT, SIZE, CHANGED]), descending=st.booleans())
    def sort(self, column: int, descending: bool) -> None:
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self.model.sort(column, order)
        if column != VERDICT:
            self.order = ({NAME: "name", SIZE: "size", CHANGED: "mtime_ns"}[column], descending)

    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        if len(self.model.rows):
            place = data.draw(st.integers(0, len(self.model.rows) - 1))
            index = QPersistentModelIndex(self.model.index(place, 0))
            self.held.append((self.model.path(int(self.model.rows[place])), index))

    @rule()
    def scan_again(self) -> None:
        """The same files under other row numbers: what was open stays open."""
        opened = {self.model.path(row) for row in self.model._open}
        mirror = Seed()
        pending = [(0, 0)]
        while pending:
            old, new = pending.pop()
            if old not in self.seed.ranges:
                continue
            first, count = self.seed.ranges[old]
            rows = list(range(first, first + count))[::-1]
            at = len(mirror.names)
            mirror.read(
                new,
                [
                    (self.seed.names[row], self.seed.modes[row] == _DIRECTORY, self.seed.sizes[row])
                    for row in rows
                ],
            )
            pending += [(row, at + index) for index, row in enumerate(rows)]
        self.seed, self.scan = mirror, next(_scans)
        self.held.clear()
        self.show()
        assert {self.model.path(row) for row in self.model._open} == opened

    @invariant()
    def shows_what_a_plain_recursion_shows(self) -> None:
        tree = self.seed.tree()
        expected: list[int] = []

        def below(row: int) -> None:
            for child in tree.sorted_children(row, *self.order).tolist():  # type: ignore[arg-type]
                expected.append(child)
                if child in self.model._open:
                    below(child)

        below(0)
        assert self.model.rows.tolist() == expected

    @invariant()
    def selections_stay_on_their_paths(self) -> None:
        for path, index in self.held:
            if index.isValid():
                assert self.model.path(int(self.model.rows[index.row()])) == path


Contents.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestContents = Contents.TestCase


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    for name in ("Beta", "alpha", "alphabet", "gamma"):
        (tmp_path / name / "only" / "deep").mkdir(parents=True)
        (tmp_path / name / "only" / "deep" / "file").write_bytes(b"x" * len(name))
    with Directory.open(os.fsencode(tmp_path)) as top:
        return Inventory.of(1, scan_subtree(top, b""))


def test_typing_finds_the_next_name_in_either_case(qtbot: QtBot, inventory: Inventory) -> None:
    del qtbot
    model = ContentsModel()
    model.show(inventory, Marks())
    names = [model.text(int(row), NAME) for row in model.rows]
    assert names == ["Beta", "alpha", "alphabet", "gamma"]
    assert model.find_prefix(b"al", 0) == 1
    assert model.find_prefix(b"al", 2) == 2
    assert model.find_prefix(b"AL", 3) == 1, "the search goes round"
    assert model.find_prefix(b"b", 0) == 0
    assert model.find_prefix(b"alphabets", 0) is None
    assert model.find_prefix(b"", 0) is None


def test_an_empty_directory_is_one_all_the_same(qtbot: QtBot, tmp_path: Path) -> None:
    del qtbot
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with Directory.open(os.fsencode(tmp_path)) as top:
        inventory = Inventory.of(1, scan_subtree(top, b""))
    model = ContentsModel()
    model.show(inventory, Marks())
    kinds = {model.text(row, NAME): model.is_directory(row) for row in map(int, model.rows)}
    assert kinds == {"empty": True, "file": False}
    assert not any(model.can_open(int(row)) for row in model.rows)


def test_an_entry_is_called_what_a_person_calls_it(qtbot: QtBot, inventory: Inventory) -> None:
    del qtbot
    marks, model = Marks(), ContentsModel()
    entry = EntryReport("toy", "toy 1.0", "", b"", 0, 1, 1, 0, EntryVerdict.OK)
    for name, title in ((b"alpha", "toy 1.0"), (b"gamma", "gamma 1.0"), (b"Beta", "")):
        row = inventory.tree.find(name)
        assert row is not None
        marks.put(replace(entry, name=title, title=title, row=row), inventory.tree)
    model.show(inventory, marks)
    names = [model.text(int(row), NAME) for row in model.rows]
    assert names == ["Beta", "toy 1.0 (alpha)", "alphabet", "gamma"]


def test_a_chain_of_only_directories_opens_at_once(qtbot: QtBot, inventory: Inventory) -> None:
    del qtbot
    model = ContentsModel()
    model.show(inventory, Marks())
    model.expand(1)
    assert [model.text(int(row), NAME) for row in model.rows[1:5]] == [
        "alpha",
        "only",
        "deep",
        "file",
    ]
    model.collapse(1)
    assert len(model.rows) == 4


def test_revealing_opens_what_leads_there(qtbot: QtBot, inventory: Inventory) -> None:
    del qtbot
    model = ContentsModel()
    model.show(inventory, Marks())
    row = inventory.tree.find(b"gamma/only/deep/file")
    assert row is not None
    place = model.reveal(row)
    assert place is not None
    assert int(model.rows[place]) == row


def test_a_full_directory_is_sorted_off_the_windows_thread(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cachewright_gui.models.ordering._MANY", 3)
    for number in range(9):
        (tmp_path / f"f{number}").write_bytes(b"x" * (100 - number))
    with Directory.open(os.fsencode(tmp_path)) as top:
        inventory = Inventory.of(1, scan_subtree(top, b""))
    jobs = Jobs()
    model = ContentsModel(Orders(jobs))
    model.show(inventory, Marks())
    assert len(model.rows) == 9, "shown at once, as it was read"
    model.sort(SIZE, Qt.SortOrder.AscendingOrder)
    wanted = [f"f{number}" for number in range(8, -1, -1)]
    qtbot.waitUntil(lambda: [model.text(int(row), NAME) for row in model.rows] == wanted)
    assert jobs.close(5)
