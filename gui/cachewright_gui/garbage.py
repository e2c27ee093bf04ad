"""When the collector of cyclic garbage may run in the window's process.

A full collection walks every object while it holds the interpreter: 100 ms beside a check of
200,000 files, on whichever thread sets it off.  Young objects are collected as ever, in small
helpings; the old ones only when no work runs.
"""

from __future__ import annotations

import gc
from typing import Final

_YOUNG: Final = (5_000, 5, 1_000_000)


def tame() -> None:
    """Leave out full collections, and never walk what was there at the start again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_YOUNG)


def sweep() -> None:
    """A full collection, for a moment in which nothing runs."""
    gc.collect()
