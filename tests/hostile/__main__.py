"""Try hostile input through the real program, and print what became of it as one table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from tests.counts import Part, main
from tests.hostile import archives, foreign_code, limits, names, parsers

PARTS: Final[Mapping[str, Part]] = {
    "archives": archives.run,
    "parsers": parsers.run,
    "code": foreign_code.run,
    "names": names.run,
    "limits": limits.run,
}

if __name__ == "__main__":
    sys.exit(main(PARTS))
