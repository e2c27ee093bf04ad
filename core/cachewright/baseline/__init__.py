"""Baselines: digests of a cache's files as they were once, for entries that nothing vouches for.

A baseline is Cachewright's own memory, kept in the user's state directory.  It is never mixed up
with what the cache records itself: its digests are no *expected* digests, and an entry that
differs from it stays ``unverifiable``.
"""

from __future__ import annotations

from cachewright.baseline.comparison import Comparison
from cachewright.baseline.record import Baseline, FileRecord, LeftOut, document
from cachewright.baseline.store import Baselines

__all__ = ["Baseline", "Baselines", "Comparison", "FileRecord", "LeftOut", "document"]
