"""Which of the kernel's locks are on one file.

The kernel's table names files by the file system's own device number, which ``stat`` need not
agree with (``holders.mounts``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from cachewright.holders import KernelLock
from cachewright.holders.mounts import Mount, mount_of


def of_place(
    found: os.stat_result, mount: Mount | None, table: Iterable[KernelLock]
) -> tuple[KernelLock, ...]:
    """Locks on the file that ``found`` is the stat of, leases left out: they are no locks."""
    devices = {found.st_dev} | ({mount.device} if mount else set())
    return tuple(
        lock
        for lock in table
        if lock.kind != "lease" and lock.inode == found.st_ino and lock.device in devices
    )


def of_file(fd: int, table: Iterable[KernelLock]) -> tuple[KernelLock, ...]:
    """Locks on an open file."""
    return of_place(os.fstat(fd), mount_of(fd), table)
