"""clcache records no digest of an object: a changed byte is told only once there is a baseline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.real.flips import SOME, flips

from cachewright.model import CheckResult, EntryVerdict
from cachewright.workbench import Options, Workbench

QUICK: dict[str, Any] = {"observe_s": 0.0, "settle_s": 0.0, "environment": {}, "jobs": 1}


@pytest.mark.parametrize("times", SOME)
def test_what_no_digest_covers_is_said_and_a_baseline_covers_it(
    clcache: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    clcache.compile(*(clcache.source(f"file{number}.cpp") for number in range(3)))

    def look() -> CheckResult:
        with Workbench.open(os.fsencode(clcache.cache), options=Options(**QUICK)) as bench:
            return bench.check()

    assert {one.verdict for one in look().entries} == {EntryVerdict.UNVERIFIABLE}
    with Workbench.open(os.fsencode(clcache.cache), options=Options(**QUICK)) as bench:
        bench.baseline()
    done = flips([clcache.cache / "objects"], look, times)
    print("with a baseline:", done)
    print("anywhere:", flips([clcache.cache], look, times, seed=2))
    assert done.unseen == []
