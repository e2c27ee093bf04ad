"""The quick version of the swaps; ``python -m tests.race`` is the full one."""

from __future__ import annotations

import pytest
from tests.counts import fails, table
from tests.race import swaps


@pytest.mark.timeout(300)
def test_nothing_outside_is_touched() -> None:
    rows = list(swaps.run(quick=True))
    assert not fails(rows), "\n" + table(rows)
