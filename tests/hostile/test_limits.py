from __future__ import annotations

import pytest
from tests.counts import fails, table
from tests.hostile.limits import run


@pytest.mark.timeout(900)
def test_no_tree_is_too_deep_too_large_or_too_odd() -> None:
    rows = run(quick=True)
    assert not fails(rows), table(rows)
