"""The quick versions of ``python -m tests.crash``, and what the harness itself must see."""

from __future__ import annotations

import os

import pytest
from tests.counts import Row
from tests.crash import filesystems, parts

needs_tools = pytest.mark.skipif(
    bool(filesystems.missing_tools(("ext4",))) and not os.environ.get("CI"),
    reason="mount or mkfs.ext4 is not installed",
)


def _whole(rows: list[Row], least: int) -> None:
    assert [row for row in rows if row.bad] == []
    assert sum(row.trials for row in rows) >= least


@needs_tools
def test_a_verb_that_is_killed_leaves_the_whole_old_or_the_whole_new() -> None:
    _whole(parts.kill(quick=True), 350)


@needs_tools
def test_a_verb_whose_call_fails_says_so_and_loses_nothing() -> None:
    _whole(parts.errors(quick=True), 300)
