"""The quick version of changed sources; ``python -m tests.race`` is the full one."""

from __future__ import annotations

import pytest
from tests.counts import fails, table
from tests.race import sources


@pytest.mark.timeout(300)
def test_no_byte_is_published_that_was_not_verified() -> None:
    rows = list(sources.run(quick=True))
    assert not fails(rows), "\n" + table(rows)
