"""Two Cachewrights exclude each other by a lock file that is never deleted (DESIGN 7).

The file's existence means nothing; the kernel's lock on it does, and ends with its process.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import portalocker

from cachewright.errors import AnotherAtWork
from cachewright.storage.anchored import Directory
from cachewright.storage.beneath import SAFE_FLAGS

STATE_LOCK: Final = b"repair.lock"
"""In the state directory, for repairs of a cache that can have no quarantine."""

_TRY_EVERY_S: Final = 0.05


@contextmanager
def exclusive(directory: Directory, name: bytes, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold ``directory/name`` for the block; ``AnotherAtWork`` if another still holds it after
    ``wait_s`` seconds.  ``OSError`` where the file system has no such locks."""
    fd = os.open(name, os.O_RDWR | os.O_CREAT | SAFE_FLAGS, 0o600, dir_fd=directory.fd)
    try:
        _lock(fd, directory.where(name), wait_s)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, path: bytes, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            portalocker.lock(
                fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
            )
        except portalocker.exceptions.AlreadyLocked:
            if time.monotonic() >= until:
                raise AnotherAtWork(path=path) from None
            time.sleep(_TRY_EVERY_S)
        except portalocker.exceptions.LockException as error:
            # What the kernel said is in there; it is told as what any other call says.
            cause = next((one for one in error.args if isinstance(one, OSError)), None)
            raise (cause or OSError(errno.ENOLCK, str(error))) from None
        else:
            return
