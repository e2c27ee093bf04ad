"""The quick versions of ``python -m tests.crash``."""

from __future__ import annotations

import os

import pytest
from tests.counts import Row
from tests.crash import filesystems, parts
from tests.crash.supervisor import may_supervise

pytestmark = pytest.mark.timeout(600)  # a busy machine may take long: nothing here is timed


@pytest.fixture(autouse=True)
def _supervised() -> None:
    missing = filesystems.missing_tools(("ext4",))
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(missing)}")
    if not may_supervise():
        pytest.skip("this kernel or container lets no process be supervised by another")


def _as_wanted(rows: list[Row], least: int) -> None:
    assert [row for row in rows if row.fails] == []
    assert sum(row.trials for row in rows if not row.expects_bad) >= least


def test_a_verb_that_is_killed_leaves_the_whole_old_or_the_whole_new() -> None:
    rows = parts.kill(quick=True)
    _as_wanted(rows, 300)
    assert [row for row in rows if row.expects_bad]


def test_a_verb_whose_call_fails_says_so_and_loses_nothing() -> None:
    _as_wanted(parts.errors(quick=True), 300)
