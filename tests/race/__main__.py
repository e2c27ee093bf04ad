"""The full versions of the races, or ``--quick`` ones, and what they counted."""

from __future__ import annotations

import sys
from typing import Final

from tests import counts
from tests.race import four, readers, sources, swaps

PARTS: Final = {
    "readers": readers.run,
    "swaps": swaps.run,
    "sources": sources.run,
    "four": four.run,
}

if __name__ == "__main__":
    sys.exit(counts.main(PARTS))
