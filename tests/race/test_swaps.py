"""The quick version of the swaps; ``python -m tests.race`` is the full one."""

from __future__ import annotations

import pytest
from tests.counts import fails, table
from tests.race import swaps
from tests.race.vectors import VECTORS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", VECTORS)
def test_nothing_outside_is_touched(name: str) -> None:
    rows = list(swaps.run(True, [name]))
    assert not fails(rows), "\n" + table(rows)
