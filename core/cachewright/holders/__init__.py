"""Who is alive, who has what open, who holds kernel locks: looked at, never disturbed.

``survey`` and ``kernel_locks`` look at every process of this computer and take some tens of
milliseconds; nothing is remembered between calls.  ``sole_opener`` asks the kernel about one
file.  Importing works on every system; where the system does not tell, the answer says so.
"""

from __future__ import annotations

import sys

from cachewright.holders.leases import sole_opener
from cachewright.holders.survey import Hold, KernelLock, Survey, merged

if sys.platform == "linux":
    from cachewright.holders.linux import survey
    from cachewright.holders.lock_table import kernel_locks
    from cachewright.holders.processes import process
else:
    from cachewright.holders.portable import kernel_locks, process, survey

__all__ = [
    "Hold",
    "KernelLock",
    "Survey",
    "kernel_locks",
    "merged",
    "process",
    "sole_opener",
    "survey",
]
