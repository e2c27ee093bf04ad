"""The tables keep rows, selections and order while reports come, go and change."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cachewright_gui.models.report_model import Chip, Column, ReportModel
from cachewright_gui.theme import Tone


@dataclass(frozen=True)
class Report:
    key: int
    weight: int
    words: str


def new_model() -> ReportModel[Report]:
    return ReportModel(
        (
            Column(
                "Verdict",
                lambda one: one.words,
                lambda one: one.words,
                100,
                chip=lambda _: Chip("Stale", "stale", Tone.BAD),
            ),
            Column(
                "What",
                lambda one: one.words,
                lambda one: one.words,
                detail=lambda one: f"weight {one.weight}",
            ),
            Column(
                "Size",
                lambda one: str(one.weight),
                lambda one: one.weight,
                80,
                hint=lambda one: f"<b>{one.weight}</b>",
                right=True,
            ),
        ),
        key=lambda one: one.key,
        default_order=lambda one: one.key,
        glance=lambda one: one.weight,
    )


REPORTS = st.lists(
    st.builds(Report, st.integers(0, 12), st.integers(0, 3), st.sampled_from("abc")),
    max_size=12,
    unique_by=lambda one: one.key,
)


class Table(RuleBasedStateMachine):
    """A model under the tester, and what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.app = QApplication.instance() or QApplication([])
        self.model = new_model()
        self.tester = QAbstractItemModelTester(
            self.model, QAbstractItemModelTester.FailureReportingMode.Fatal
        )
        self.items: dict[int, Report] = {}
        self.sorted_by: tuple[int, bool] | None = None
        self.held: list[tuple[int, QPersistentModelIndex]] = []

    @initialize(reports=REPORTS)
    def fill(self, reports: list[Report]) -> None:
        self.replace(reports)

    @rule(reports=REPORTS)
    def replace(self, reports: list[Report]) -> None:
        self.model.set_items(tuple(reports))
        self.items = {one.key: one for one in reports}
        self.held = [(key, index) for key, index in self.held if key in self.items]

    @rule(column=st.integers(-1, 2), descending=st.booleans())
    def sort(self, column: int, descending: bool) -> None:
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self.model.sort(column, order)
        self.sorted_by = (column, descending) if column >= 0 else None

    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        if self.items:
            row = data.draw(st.integers(0, len(self.items) - 1))
            index = QPersistentModelIndex(self.model.index(row, 0))
            self.held.append((self.model.item(row).key, index))

    @rule()
    def empty(self) -> None:
        self.replace([])

    @invariant()
    def holds_what_was_given_in_order(self) -> None:
        shown = [self.model.item(row) for row in range(self.model.rowCount())]
        expected = sorted(self.items.values(), key=lambda one: one.key)
        if self.sorted_by is not None:
            column, reverse = self.sorted_by
            expected.sort(key=self.model.columns[column].order, reverse=reverse)
        assert shown == expected

    @invariant()
    def rows_that_stay_keep_their_selection(self) -> None:
        for key, index in self.held:
            assert index.isValid()
            assert self.model.item(index.row()).key == key


Table.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestTable = Table.TestCase


def test_only_what_a_person_would_notice_is_tinted(qtbot: QtBot) -> None:
    del qtbot
    model = new_model()
    model.set_items([Report(1, 1, "a"), Report(2, 1, "b")])
    assert not model.any_fresh(), "the first filling is nothing new"
    model.set_items([Report(1, 1, "other"), Report(2, 2, "b"), Report(3, 1, "c")])
    assert [model.fresh(row) for row in range(3)] == [False, True, True]


def test_hints_are_escaped(qtbot: QtBot) -> None:
    del qtbot
    model = new_model()
    model.set_items([Report(1, 7, "<i>x</i>")])
    assert model.data(model.index(0, 2), Qt.ItemDataRole.ToolTipRole) == (
        "<qt>&lt;b&gt;7&lt;/b&gt;</qt>"
    )
    assert "&lt;i&gt;" in model.data(model.index(0, 1), Qt.ItemDataRole.ToolTipRole)
    assert model.data(model.index(0, 1), Qt.ItemDataRole.AccessibleTextRole) == (
        "<i>x</i>. weight 7"
    )
    assert model.data(QModelIndex()) is None
