"""Who is alive, who has what open, who holds kernel locks: looked at, never disturbed.

``look_around`` looks at every process of this computer once, ``survey`` and ``kernel_locks`` give
one half of what it sees; each takes some tens of milliseconds, and nothing is remembered between
calls.  ``sole_opener`` asks the kernel about one file, ``pinned`` holds on to processes while
something is decided about them.  Importing works on every system; where the system does not tell,
the answer says so.
"""

from __future__ import annotations

import sys

from cachewright.holders.leases import no_writer, sole_opener
from cachewright.holders.pins import Pins, pinned
from cachewright.holders.survey import Hold, KernelLock, Survey, merged

if sys.platform == "linux":
    from cachewright.holders.linux import kernel_locks, look_around, survey
    from cachewright.holders.lock_table import read_table
    from cachewright.holders.processes import process
else:
    from cachewright.holders.portable import (
        kernel_locks,
        look_around,
        process,
        read_table,
        survey,
    )

__all__ = [
    "Hold",
    "KernelLock",
    "Pins",
    "Survey",
    "kernel_locks",
    "look_around",
    "merged",
    "no_writer",
    "pinned",
    "process",
    "read_table",
    "sole_opener",
    "survey",
]
