"""Holds below a path are found by halving, and are the same as all that lie below it."""

from __future__ import annotations

import pytest

from cachewright.holders.survey import Hold, Survey, below
from cachewright.model import Holder

PATHS = [
    b"/",
    b"/cache",
    b"/cache (deleted)",
    b"/cache-2",
    b"/cache.lock",
    b"/cache/a",
    b"/cache/a (deleted)",
    b"/cache/a/b",
    b"/cache/a/b (deleted)",
    b"/cache/a0",
    b"/cache/a.lock",
    b"/cache/a\xff",
    b"/other",
    b"",
]


def survey(paths: list[bytes]) -> Survey:
    """Each path held by another process."""
    holders = [Holder(pid, 0, "", "", ("cwd",)) for pid in range(len(paths))]
    holds = zip(holders, paths, strict=True)
    return Survey(tuple(Hold(one, 0, 0, path, "cwd") for one, path in holds), 0, "", 0)


@pytest.mark.parametrize("prefix", [b"/", b"/cache", b"/cache/", b"/cache/a", b"/x", b"/other"])
def test_all_that_lie_below_and_no_others(prefix: bytes) -> None:
    paths = PATHS[7:] + PATHS[:7]
    wanted = {pid for pid, path in enumerate(paths) if below(path, prefix)}
    assert {one.pid for one in survey(paths).of((), prefix)} == wanted
    gone = {pid for pid in wanted if paths[pid].endswith(b" (deleted)")}
    assert {one.pid for one in survey(paths).of_deleted(prefix)} == gone
