"""The demo's scratch directory: made, filled, and removed again where the demo made it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cachewright.demo.cache import Stage, plant
from cachewright.demo.company import Company
from cachewright.errors import Refused
from cachewright.storage.anchored import Directory
from cachewright.storage.removal import remove_tree

PREFIX: Final = "cachewright-demo-"

LONGEST_S: Final = 3600.0
"""No process of the demo lives longer than this, whatever happens to the demo itself."""


@contextmanager
def staged(directory: str | None = None, seconds: float = LONGEST_S) -> Iterator[Stage]:
    """A planted cache with its processes at work, while the block runs.

    ``directory`` (missing or empty) is kept; without it a private directory is made in the
    system's temporary directory and removed at the end, by descriptor, never following a link.
    """
    if directory is None:
        scratch = tempfile.mkdtemp(prefix=PREFIX)
    else:
        scratch = os.path.abspath(directory)
        os.makedirs(scratch, exist_ok=True)
        if os.listdir(scratch):
            raise Refused(path=os.fsencode(scratch), reason="the demo wants an empty directory")
    try:
        stage = Stage.below(scratch)
        with Company(seconds) as company:
            plant(stage, company)
            yield stage
    finally:
        if directory is None:
            _remove(os.fsencode(scratch))


def _remove(scratch: bytes) -> None:
    with Directory.open(os.path.dirname(scratch)) as parent:
        remove_tree(parent, os.path.basename(scratch))
