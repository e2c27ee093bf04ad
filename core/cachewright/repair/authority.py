"""Root's power is not used where other users may change what it acts on (reliability.md T2, T17).

Everything is reached by descriptor below a pinned directory.  The way to that directory is not:
whoever may change a name on it chooses what root works on, and where root keeps it.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cachewright.errors import Refused
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_ROOT: Final = 0


def refuse_for_root(directory: Directory) -> None:
    """``Refused`` where we are root and another user owns, or may write to, this directory or
    one above it.  A sticky directory above it (``/tmp``) lets nobody rename what root owns.

    Any other user is stopped by the system itself.
    """
    if os.geteuid() != _ROOT:
        return
    for path, found, last in _way_to(directory):
        why = _why(found, last=last)
        if why:
            reason = f"Cachewright runs as root, and {why[0]} may change {display(path)}. {why[1]}"
            raise Refused(path=directory.path, reason=reason)


def _way_to(directory: Directory) -> Iterator[tuple[bytes, os.stat_result, bool]]:
    yield directory.path, os.fstat(directory.fd), True
    above = directory.path
    while above != b"/":
        above = os.path.dirname(above)
        yield above, os.lstat(above), False


def _why(found: os.stat_result, *, last: bool) -> tuple[str, str] | None:
    """Who may change it and what to do, if anybody but root may."""
    if found.st_uid != _ROOT:
        owner = _name(found.st_uid)
        return owner, f"Run it as that user: sudo -u {owner} cachewright"
    mode = found.st_mode
    if mode & stat.S_ISVTX and not last:
        return None
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and found.st_gid != _ROOT):
        return "others", "Take that right from them, or run it as a user who is not root"
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"'#{uid}'"
