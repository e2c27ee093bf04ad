"""Every check on every file system that is asked for, then on failing disks.

Run as ``python -m tests.crash.foreign.guest KIND...``, mostly inside the small machine; prints
rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tests.counts import Row, table
from tests.crash.enclosure import say
from tests.crash.foreign import checks, failing
from tests.crash.foreign.places import KINDS, serve

_ENDS: Final = 14
_KILLS: Final = 20


def _rows(kind: str) -> Iterator[Row]:
    with KINDS[kind]() as top:
        yield replace(checks.ends(top).row("foreign, ends", kind), aim=_ENDS)
        yield replace(checks.killed(top).row("foreign, killed", kind), aim=_KILLS)


def main(kinds: list[str]) -> None:
    rows: list[Row] = []
    if any(kind.startswith("nfs") for kind in kinds):
        serve()
    for kind in kinds:
        began = time.monotonic()
        if kind in failing.SCENARIOS:
            row = failing.check(kind).row("foreign, writes fail", kind)
            rows.append(replace(row, aim=failing.POINTS))
        else:
            rows += _rows(kind)
        sys.stderr.write(f"{kind}: {time.monotonic() - began:.0f} s\n{table(rows)}\n")
    say(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
