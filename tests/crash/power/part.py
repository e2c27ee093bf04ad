"""The part ``power`` of ``python -m tests.crash``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.counts import Row
from tests.crash.enclosure import enclosed
from tests.crash.power.capturing import capture_all
from tests.crash.power.setting import CAPTURES, Capture


def run(quick: bool, captures: Sequence[Capture] = CAPTURES) -> list[Row]:
    """Rows for each file system and model, and for the control that makes nothing durable;
    nothing quick can be said without the machine that writes down what is written."""
    if quick:
        return []
    began = time.monotonic()
    with TemporaryDirectory(prefix="power-") as name:
        place = Path(name)
        capture_all(captures, place)
        sys.stderr.write(f"all written down: {time.monotonic() - began:.0f} s\n")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            replayed = pool.map(lambda capture: _replayed(place, capture), captures)
            return [row for rows in replayed for row in rows]


def _replayed(place: Path, capture: Capture) -> list[Row]:
    began = time.monotonic()
    rows = enclosed("tests.crash.power.replay", os.fspath(place), capture.name)
    sys.stderr.write(f"{capture.name}: {time.monotonic() - began:.0f} s\n")
    return rows
