"""Any byte of a package in uv's cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from tests.real.flips import SOME, flips

from cachewright.model import CheckResult
from cachewright.workbench import Options, Workbench

QUICK: dict[str, Any] = {"observe_s": 0.0, "settle_s": 0.0, "environment": {}, "jobs": 1}


@pytest.mark.parametrize("times", SOME)
def test_any_byte_that_record_covers_is_found(shops: Callable[..., Any], times: int) -> None:
    shop = shops(count=10)

    def look() -> CheckResult:
        with Workbench.open(os.fsencode(shop.cache), options=Options(**QUICK)) as bench:
            return bench.check()

    done = flips([shop.cache / "archive-v0"], look, times)
    anywhere = flips([shop.cache], look, times, seed=2)
    print("archives:", done)
    print("anywhere:", anywhere)
    archived = [one for one in anywhere.unseen if one.startswith("archive-v0/")]
    assert [one for one in (*done.unseen, *archived) if not one.endswith("/RECORD")] == []
    assert done.found
