"""The parts ``kill`` and ``errors``: their shares, each enclosed, as many at once as there are
processors; and what is wanted of them together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from tests.counts import Row
from tests.crash.enclosure import enclosed, may_enclose
from tests.crash.filesystems import missing_tools

_WORKER: Final = "tests.crash.worker"
_DISKS: Final = ("ext4", "xfs", "btrfs")
_SHARES: Final = 6
"""Of what is long, so that all processors are busy to the end."""
_AIMS: Final = {
    "tmpfs, repairs": 8_000,
    "tmpfs, undos": 3_000,
    "tmpfs, purges": 700,
    "tmpfs, recovery": 3_000,
    **{f"{kind}, repairs": 700 for kind in _DISKS},
    **{f"{kind}, undos": 350 for kind in _DISKS},
    **{f"{kind}, recovery": 1_000 for kind in _DISKS},
    "tmpfs": 8_000,
}
"""About two thirds of what was counted: a verb that gets shorter need not fail for that."""


def kill(quick: bool) -> list[Row]:
    """Kills on every file system; quick on tmpfs, and a few on ext4 where mounting is allowed."""
    if quick:
        kinds = ("tmpfs", "ext4") if may_enclose() else ("here",)
        return _together([("kill", kind, "--quick") for kind in kinds])
    missing = missing_tools()
    if missing:
        raise FileNotFoundError(f"not installed: {', '.join(missing)}")
    whole = [("kill", "tmpfs", f"--share={at}/{_SHARES}") for at in range(_SHARES)]
    return _aimed(_together([*whole, *(("kill", kind) for kind in _DISKS)]))


def errors(quick: bool) -> list[Row]:
    """Errors, which are made up and so the same on every file system."""
    kind = "tmpfs" if may_enclose() else "here"
    if quick:
        return _together([("errors", kind, "--quick")])
    shares = [("errors", kind, f"--share={at}/{_SHARES}") for at in range(_SHARES)]
    return _aimed(_together(shares))


def _together(shares: Sequence[tuple[str, ...]]) -> list[Row]:
    apart = may_enclose()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda share: enclosed(_WORKER, *share, apart=apart), shares)
        return _added(row for rows in done for row in rows)


def _aimed(rows: Iterable[Row]) -> list[Row]:
    return [replace(row, aim=_AIMS.get(row.where, 0)) for row in rows]


def _added(rows: Iterable[Row]) -> list[Row]:
    """One row of each kind; the shares of it are told together."""
    sums: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.part, row.where)
        known = sums.get(key)
        sums[key] = (
            row
            if known is None
            else replace(
                known,
                trials=known.trials + row.trials,
                bad=known.bad + row.bad,
                note="; ".join(one for one in (known.note, row.note) if one),
            )
        )
    return list(sums.values())
