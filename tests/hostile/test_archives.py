from __future__ import annotations

from tests.counts import fails, table
from tests.hostile.archives import run


def test_no_archive_reaches_out_or_leaves_anything_but_plain_files() -> None:
    rows = run(quick=True)
    assert not fails(rows), table(rows)
