from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cachewright.model import StepKind
from cachewright.report import records
from cachewright.workbench import HistoryItem, KeptItem

Validate = Callable[[dict[str, Any]], None]

AT = 1_700_000_000_000_000_000


def test_the_journal_tells_what_can_be_undone(validate: Validate) -> None:
    item = HistoryItem(
        "op1", AT, StepKind.REPUBLISH_ENTRY, "e", b"/c/e\xff", "done", "", False, True
    )
    made = records.journal([item], verified=3)
    validate(made)
    assert made["verified_records"] == 3
    assert made["operations"][0]["id"] == "op1"
    assert made["operations"][0]["path"] == "/c/e\\xff"
    assert made["operations"][0]["can_undo"] is True
    assert made["operations"][0]["action"] == "repair"
    assert records.journal([])["verified_records"] is None


def test_the_quarantine_tells_where_things_were_and_are(validate: Validate) -> None:
    made = records.quarantine(
        [KeptItem("op1", AT, b"/c/e", b"/q/op1/item", 7, StepKind.QUARANTINE_ENTRY)]
    )
    validate(made)
    assert made["items"] == [
        {
            "id": "op1",
            "at": "2023-11-14T22:13:20.000Z",
            "step": "quarantine-entry",
            "original": "/c/e",
            "kept": "/q/op1/item",
            "bytes": 7,
        }
    ]
