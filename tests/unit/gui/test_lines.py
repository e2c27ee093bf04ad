"""What stands in several lines stays in them, whatever the names in it are."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cachewright.model import Holder, HoldVerdict, LockKind, LockReport
from cachewright_gui import lock_story
from cachewright_gui.models import lock_list
from cachewright_gui.story import Bullet, Fact

FAKED = "All is well."
LOCK = LockReport(
    "id",
    LockKind.FLOCK,
    b"/p",
    HoldVerdict.HELD,
    f"a\n{FAKED}",
    f"b\n{FAKED}",
    holders=(Holder(1, 0, "dev", f"x\n{FAKED}", ()),),
)


def test_a_line_break_in_a_name_makes_no_line_in_a_table_or_its_tooltips(qtbot: QtBot) -> None:
    del qtbot
    model = lock_list.locks()
    model.set_items([LOCK])
    for column in range(model.columnCount()):
        for role in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.AccessibleTextRole,
            Qt.ItemDataRole.ToolTipRole,
        ):
            said = model.index(0, column).data(role).replace("<br>", "\n")
            assert not any(line.startswith(FAKED) for line in said.split("\n"))


def test_a_line_break_in_a_record_makes_no_line_in_the_evidence() -> None:
    told = lock_story.of_lock(replace(LOCK, owner={"Who": f"y\n{FAKED}"}), None)
    items = [one for part in told.sections for one in part.items]
    assert f"y\\n{FAKED}" in [one.value for one in items if isinstance(one, Fact)]
    details = [one.detail for one in items if isinstance(one, Bullet)]
    assert any(f"x\\n{FAKED}" in one for one in details)
    assert "\n" not in f"{told.title}{told.lead}"
