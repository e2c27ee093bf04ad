"""The quick version of four at once; ``python -m tests.race`` is the full one."""

from __future__ import annotations

import pytest
from tests.counts import fails, table
from tests.race import four


@pytest.mark.timeout(300)
def test_nothing_is_repaired_twice() -> None:
    rows = list(four.run(quick=True))
    assert not fails(rows), "\n" + table(rows)
