from __future__ import annotations

import pytest
from tests.counts import fails, table

pytest.importorskip("PySide6")


def test_no_name_is_more_than_text_anywhere_or_taken_for_another() -> None:
    from tests.hostile.names import run

    rows = run(quick=True)
    assert not fails(rows), table(rows)
