from __future__ import annotations

import pytest
from tests.counts import fails, table
from tests.hostile.names import run


@pytest.mark.timeout(900)
@pytest.mark.qt_log_ignore("propagateSizeHints")
def test_no_name_is_more_than_text_anywhere_or_taken_for_another() -> None:
    rows = run(quick=True)
    assert not fails(rows), table(rows)
