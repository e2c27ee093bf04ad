"""Any byte of an image's copies, in two stores and in the image cache."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.real.flips import SOME, flips

from cachewright.model import CheckResult, EntryVerdict
from cachewright.workbench import Options, open_bench

QUICK: dict[str, Any] = {"observe_s": 0.0, "settle_s": 0.0, "jobs": 1}


@pytest.mark.parametrize("times", SOME)
def test_any_byte_of_an_image_is_found(api: Any, times: int) -> None:
    for number, store in enumerate(("fast", "slow", "fast")):
        image = api.image(f"image {number}")
        api.upload(image, os.urandom(200_000), store)
    assert api.ask("GET", f"/images/{image}/file")[0] == 200  # and is cached from now on
    assert (api.top / "image-cache" / image).is_file()

    def look() -> CheckResult:
        with open_bench(os.fsencode(api.config), options=Options(**QUICK)) as bench:
            return bench.check()

    assert {one.verdict for one in look().entries} == {EntryVerdict.OK}
    done = flips([api.top / name for name in ("fast", "slow")], look, times)
    cached = flips([api.top / "image-cache"], look, times)
    print("stores:", done)
    print("image cache:", cached)
    assert done.unseen == []
    assert [one for one in cached.unseen if one == image] == []
