"""Which programs of given names run here now: a hint for a person, never a proof."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection

from cachewright.model import Holder


def running(names: Collection[str]) -> tuple[Holder, ...]:
    """Processes that are called by one of the names, in order of pid.

    A process may call itself anything, and some may not show (``visibility.hidden``).
    """
    if sys.platform != "linux":
        return _by_psutil(names)
    from cachewright.holders.processes import GONE, Process, pids

    wanted = {os.fsencode(name)[:15] for name in names}  # no more is kept of a name
    found: list[Holder] = []
    for pid in pids():
        try:
            with Process(pid) as process:
                stat = process.stat()
                if stat.name in wanted and not stat.zombie:
                    found.append(process.holder())
        except (*GONE, PermissionError):
            continue
    return tuple(found)


def _by_psutil(names: Collection[str]) -> tuple[Holder, ...]:
    import psutil

    from cachewright.holders.portable import process

    found = [
        process(one.pid)
        for one in psutil.process_iter(["name"])
        if (one.info["name"] or "").removesuffix(".exe") in names
    ]
    return tuple(one for one in found if one is not None)
