"""The kernel's own word that nobody has a lock's files open (DESIGN 6a), and when it may be asked.

Asking takes a lease for a moment, which another's non-blocking ``open`` would notice.  So it is
asked when something is decided or done; while watching, the last answer is taken over as long
as the lock is the very same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.holders import sole_opener
from cachewright.locks import ours
from cachewright.model import Evidence, LockReport, Says
from cachewright.storage.anchored import identity
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.locks.marker import Marker
    from cachewright.storage.anchored import Directory

_FACT: Final = "sole-opener"


def ask_now(root: Directory, relative: bytes, marker: Marker) -> Evidence:
    """Ask of each regular file of the lock; directories and links cannot be asked about."""
    for name, found in marker.files:
        path = os.path.join(relative, name) if name else relative
        alone = _ask(root, path, found)
        if alone is False:
            return Evidence(
                _FACT, Says.ALIVE, f"{display(path)} is open somewhere, says the kernel."
            )
        if alone is None:
            said = f"The kernel could not be asked who has {display(path)} open."
            return Evidence(_FACT, Says.UNKNOWN, said)
    if not marker.files:
        return Evidence(_FACT, Says.DEAD, "It has no file that anybody could have open.")
    return Evidence(_FACT, Says.DEAD, "The kernel says that nobody has it open.")


def taken_over(former: LockReport | None, marker: Marker) -> Evidence | None:
    """The answer of the last time that it was asked, if it was about the very same lock."""
    if former is None or former.identity != marker.identity:
        return None
    if former.fingerprint != marker.fingerprint:
        return None
    return next((one for one in former.evidence if one.fact == _FACT), None)


def _ask(root: Directory, relative: bytes, found: os.stat_result) -> bool | None:
    with ours.mutex:
        if ours.held_here(found):
            return None  # to open and close it would let our own lock go
        try:
            fd = root.open_file(relative)
        except (OSError, CachewrightError):
            return None
        try:
            same = identity(os.fstat(fd)) == identity(found)
            return sole_opener(fd) if same else None
        finally:
            os.close(fd)
