"""The quick version of the readers beside publishing; ``python -m tests.race`` is the full one."""

from __future__ import annotations

import pytest
from tests.counts import fails, table
from tests.race import readers


@pytest.mark.timeout(300)
def test_no_reader_finds_nothing_or_a_mixture() -> None:
    rows = list(readers.run(quick=True))
    assert not fails(rows), "\n" + table(rows)
