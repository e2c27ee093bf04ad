"""Measure scanning, verifying and finding holders against the best peers, in the same run.

Ours is timed in a process that has imported it already; a peer is a command.  The window's stalls
are measured by ``python -m tests.bench.window_stall``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.bench.holding import measure_holders
from tests.bench.rounds import Row
from tests.bench.works import OURS, measure_scan, measure_verify

WORKS: Final = ("scan", "verify", "holders")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5, help="rounds (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the input's size (1)")
    parser.add_argument("--directory", type=Path, help="where the input is made and removed")
    parser.add_argument(
        "--work", action="append", choices=WORKS, help="measure only this (repeatable)"
    )
    parser.add_argument("--only", nargs=2, metavar=("KIND", "DIR"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        OURS[options.only[0]](Path(options.only[1]))
        return 0
    rows = _all(options.work or WORKS, options.scale, options.runs, options.directory)
    if options.json:
        document = {"schema": "cachewright.bench/1", "rows": [asdict(row) for row in rows]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.writelines(_line(row) + "\n" for row in rows)
    return 0


def _works(name: str, scale: float, runs: int) -> list[Callable[[Path], list[Row]]]:
    if name == "scan":
        return [lambda top: measure_scan(top, round(200_000 * scale), runs)]
    if name == "verify":
        return [
            lambda top: measure_verify(top, round(100_000 * scale), 4096, runs),
            lambda top: measure_verify(top, 4, round(1024 * scale) << 20, runs),
        ]
    return [lambda top: measure_holders(top, max(4, round(400 * scale)), runs)]


def _all(names: Iterable[str], scale: float, runs: int, directory: Path | None) -> list[Row]:
    rows: list[Row] = []
    for work in (one for name in names for one in _works(name, scale, runs)):
        top = Path(tempfile.mkdtemp(prefix="cachewright-bench-", dir=directory))
        try:
            rows += work(top)
        finally:
            shutil.rmtree(top)
    return rows


def _line(row: Row) -> str:
    memory = f"{row.memory_bytes / 2**20:.0f} MiB"
    times = f"{row.ours:8.3f} {row.peer:8.3f} {row.unit}  {row.ratio:5.2f}"
    return f"{row.work:58} {times}  {memory:>8}  {row.peer_name}"


if __name__ == "__main__":
    sys.exit(main())
