"""Whether a lock could be moved away at all: asked of the system, never by trying."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_AS_WE_ARE: Final = os.access in os.supports_effective_ids
"""Whether the system answers for the effective user; else it answers for the real one."""


def why_immovable(root: Directory, relative: bytes, found: os.stat_result) -> str:
    """One sentence why what lies at ``relative`` may not be moved by us; empty where it may."""
    try:
        parent, _name = root.parent_of(relative)
    except (OSError, CachewrightError) as error:
        return f"The directory that it lies in may not be opened: {error}"
    with parent:
        if os.fstatvfs(parent.fd).f_flag & os.ST_RDONLY:
            return "It lies on a file system that is mounted for reading only."
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=parent.fd, effective_ids=_AS_WE_ARE):
            return "Cachewright may not change the directory that it lies in."
        top = os.fstat(parent.fd)
    if top.st_mode & stat.S_ISVTX and os.geteuid() not in {0, top.st_uid, found.st_uid}:
        return "It belongs to another user, in a directory where only owners may move files."
    if stat.S_ISDIR(found.st_mode) and not _may_leave(root, relative):
        return "Cachewright may not change it, so it cannot be moved to another directory."
    return ""


def _may_leave(root: Directory, relative: bytes) -> bool:
    """Whether a directory may get another parent, which changes the directory itself."""
    try:
        with root.open_directory(relative) as opened:
            return os.access(".", os.W_OK, dir_fd=opened.fd, effective_ids=_AS_WE_ARE)
    except (OSError, CachewrightError):
        return False
