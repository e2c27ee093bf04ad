"""Whether /proc shows every process of this computer to us."""

from __future__ import annotations

import os
from typing import Final

from cachewright.holders.mounts import mounts
from cachewright.holders.processes import pid_namespace

_INITIAL_PID_NAMESPACE: Final = 0xEFFFFFFC
"""The kernel's fixed inode of the first pid namespace (``PID_NS_INIT_INO``)."""

_CAP_SYS_PTRACE: Final = 19
_HIDING: Final = frozenset({"hidepid=2", "hidepid=invisible", "hidepid=4", "hidepid=ptraceable"})


def _may_trace() -> bool:
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapEff:"):
                return bool(int(line.split()[1], 16) >> _CAP_SYS_PTRACE & 1)
    return False


def hidden() -> str:
    """Empty where every process shows; else one plain sentence why some may not.

    A pid namespace hides all processes outside it, and /proc/locks hides their locks.
    """
    if os.path.exists("/.flatpak-info"):
        return "Cachewright runs in a sandbox, which hides the other programs."
    if pid_namespace() != _INITIAL_PID_NAMESPACE:
        return "Cachewright runs in a container, which hides the processes outside it."
    options = {
        option
        for mount in mounts()
        if mount.type == "proc" and mount.point == b"/proc"
        for option in mount.options.split(",")
    }
    if "subset=pid" in options or not os.path.exists("/proc/1"):
        return "This system hides processes of other users."
    if options & _HIDING and not _may_trace():
        return "This system hides processes of other users."
    if not os.access("/proc/locks", os.R_OK):
        return "This system does not tell which kernel locks are held."
    return ""
