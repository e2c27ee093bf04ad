"""A process that uses the demo's cache as a real tool would: ``python -m cachewright.demo.actor``.

Says ``ready`` on stdout when it is in place, and ends when its stdin is closed or its time is
over, whichever comes first.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
from collections.abc import Callable
from typing import Final


def write(path: str) -> None:
    """Have a file of an entry open for writing, as an ``init`` does that unpacks it."""
    os.open(path, os.O_RDWR | os.O_CLOEXEC)


def fill(path: str) -> None:
    """Work in a staging directory, with a file open there."""
    os.chdir(path)
    os.open("part", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def lock(path: str) -> None:
    """Hold a POSIX write lock on a lock file, as OpenTofu does while it installs."""
    fcntl.lockf(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), fcntl.LOCK_EX)


ACTS: Final[dict[str, Callable[[str], None]]] = {"write": write, "fill": fill, "lock": lock}


def main(arguments: list[str]) -> None:
    act, path, seconds = arguments
    ACTS[act](path)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    select.select([sys.stdin], [], [], float(seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
