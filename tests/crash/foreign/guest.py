"""Inside the small machine: every check on every foreign file system, then on a failing disk.

Run as ``python -m tests.crash.foreign.guest``; rows come back as ``rows.json``.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from tests.counts import Row
from tests.crash.foreign import checks, failing
from tests.crash.foreign.places import KINDS, serve
from tests.crash.vm.initrd import RESULTS


def _rows(kind: str) -> Iterator[Row]:
    began = time.monotonic()
    with KINDS[kind]() as top:
        tally, exchanges = checks.check(top)
        row = tally.row("foreign, ends", kind, 0)
        yield Row(
            **{**vars(row), "note": f"{'' if exchanges else 'no '}exchange {row.note}".strip()}
        )
        yield checks.killed(top).row("foreign, killed", kind, 0)
    sys.stderr.write(f"{kind}: {time.monotonic() - began:.0f} s\n")


def main(kinds: list[str]) -> None:
    rows: list[Row] = []
    if any(kind.startswith("nfs") for kind in kinds):
        serve()
    for kind in kinds:
        if kind in failing.SCENARIOS:
            rows.append(failing.check(kind).row("foreign, writes fail", kind, failing.POINTS))
        else:
            rows += _rows(kind)
        (Path(RESULTS) / "rows.json").write_text(json.dumps([vars(row) for row in rows]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or [*KINDS, *failing.SCENARIOS])
    except BaseException:
        traceback.print_exc()
        raise
