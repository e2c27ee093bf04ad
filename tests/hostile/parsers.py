"""Hostile input to every parser: it answers or refuses in its own words, soon, in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.counts import Row
from tests.hostile import parsers_databases
from tests.hostile.parsers_cases import PARSERS

PART = "parsers"
MEMORY = 256 << 20
_TOP = Path(__file__).parents[2]
_TRIALS, _QUICK = 5000, 150
_CHILDREN = 4
"""Processes one after the other, so that none of them is old."""


def run(quick: bool) -> Iterator[Row]:
    """100,000 inputs, or 3,000 of them."""
    each = _QUICK if quick else _TRIALS // _CHILDREN
    runs = [_child(each, first * each) for first in range(1 if quick else _CHILDREN)]
    for parser in PARSERS:
        yield _row(parser.name, [one["parsers"][parser.name] for one in runs])
    yield _row("naive JSON (control)", [one["naive"] for one in runs], expects_bad=True)
    most = max(one["memory"] for one in runs)
    yield Row(
        PART,
        "memory",
        len(runs),
        sum(one["memory"] > MEMORY for one in runs),
        note=f"at most {most >> 20} MiB",
    )
    yield from parsers_databases.run(quick)


def _child(trials: int, first: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.parsers_child", str(trials), str(first)],
        cwd=_TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the process with the parsers ended: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _row(name: str, counted: list[dict[str, Any]], *, expects_bad: bool = False) -> Row:
    trials = sum(one["trials"] for one in counted)
    bad = [why for one in counted for why in one["bad"]]
    worst = max(one["worst_s"] for one in counted)
    answered = sum(one["answered"] for one in counted)
    note = f"answered {answered:,}; worst {worst * 1000:,.0f} ms" + "".join(
        f"; {one}" for one in bad[:3]
    )
    return Row(
        PART,
        name,
        trials,
        sum(one["bad_count"] for one in counted),
        aim=_QUICK * len(counted),
        note=note,
        expects_bad=expects_bad,
    )
