"""Take back the half of a move that a crash left where the file system moves in two steps.

Where it cannot be told not to replace (NFS, some FUSE), a directory is moved over an empty one
that claims its new name, and a file gets the new name before it loses the old one
(``storage.swap``).  Afterwards all is as before that move, or as after it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.repair.quarantine import ALONE, AWAY, ITEM, SPARE, STAGE
from cachewright.repair.records import unpack
from cachewright.storage.swap import is_claim

if TYPE_CHECKING:
    from cachewright.repair.recovering.scene import Scene
    from cachewright.storage.anchored import Directory

_Spot = tuple["Directory", bytes]
_NAMES: Final = (ITEM, STAGE, ALONE, SPARE, AWAY)


def settle_moves(scene: Scene) -> None:
    """Settle every name that this operation moves to or from."""
    with _spots(scene) as spots:
        known: set[tuple[int, int]] = set()
        for directory, name in spots:
            with suppress(FileNotFoundError):
                found = directory.stat(name)
                if is_claim(found):
                    with suppress(OSError):  # somebody put something into it: it is theirs
                        os.rmdir(name, dir_fd=directory.fd)
                elif stat.S_ISDIR(found.st_mode):
                    continue
                elif (found.st_dev, found.st_ino) in known:
                    os.unlink(name, dir_fd=directory.fd)
                else:
                    known.add((found.st_dev, found.st_ino))


@contextmanager
def _spots(scene: Scene) -> Iterator[list[_Spot]]:
    """Where things may lie; of two names for one file the first is the one that stays."""
    spots: list[_Spot] = []
    with ExitStack() as stack:
        with suppress(OSError, CachewrightError):
            parent, name = stack.enter_context(scene.subject())
            spots.append((parent, name))
            if "beside" in scene.one.started:
                spots.append((parent, unpack(str(scene.one.started["beside"]))))
        quarantine = scene.places.quarantine
        if quarantine is not None:
            with suppress(FileNotFoundError):
                place = stack.enter_context(quarantine.directory.open_directory(scene.place_name))
                spots += [(place, name) for name in _NAMES]
        yield spots
