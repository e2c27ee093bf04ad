"""What a copy keeps beside the content: mode, extended attributes, access lists, times, owner.

Kept: permission bits, times, ``user.*`` attributes and POSIX access lists (also the default ones
of directories), and only these: what the place of the copy would hand down by itself is taken
away again.  Set-ID and sticky bits, and file capabilities, which give rights to whoever runs the
file, are kept only where they are asked for.  What the target's file system has no room for at
all (it answers "not supported") is left out; where an access list is left out, the mode is made
narrower, so that nobody gets more access than the list gave.  Any other failure is an error.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import Final

from cachewright.storage.anchored import Directory
from cachewright.storage.walking import Cursor, names_in, walk

MODE_BITS: Final = 0o777
"""What a copy keeps of a mode unless more is asked for."""

_ALL_BITS: Final = 0o7777
_SPECIAL_BITS: Final = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_ACCESS: Final = "system.posix_acl_access"
_DEFAULT: Final = "system.posix_acl_default"
_CAPABILITY: Final = "security.capability"
_ABSENT: Final = frozenset({errno.ENODATA, errno.EOPNOTSUPP})
_ACL_VERSION: Final = struct.Struct("<I")
_ACL_ENTRY: Final = struct.Struct("<HHI")
_ACL_OWNING_GROUP: Final = 0x04


def kept_mode(mode: int, *, special: bool) -> int:
    """The bits of ``mode`` that a copy gets."""
    return stat.S_IMODE(mode) & (_ALL_BITS if special else MODE_BITS)


def copy_metadata(from_fd: int, to_fd: int, found: os.stat_result, *, special: bool) -> None:
    """Give a new file or directory all that is kept of another but its content and owner.

    ``found`` is what ``from_fd`` was before it was read; ``special``: also set-ID and sticky
    bits and capabilities.  Call it when the content is complete: it sets the times.
    """
    _copy_user_attributes(from_fd, to_fd)
    mode = _copy_access(from_fd, to_fd, kept_mode(found.st_mode, special=special))
    os.fchmod(to_fd, mode)
    if special:
        _copy_attribute(from_fd, to_fd, _CAPABILITY)
    os.utime(to_fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def copy_access(from_fd: int, to_fd: int) -> None:
    """Give a directory the mode and access lists of another one, and nothing else."""
    mode = kept_mode(os.fstat(from_fd).st_mode, special=False)
    os.fchmod(to_fd, _copy_access(from_fd, to_fd, mode))


def _copy_access(from_fd: int, to_fd: int, mode: int) -> int:
    """Copy access lists; the mode that must follow."""
    if stat.S_ISDIR(os.fstat(to_fd).st_mode):
        _copy_attribute(from_fd, to_fd, _DEFAULT)
    listed = _attribute(from_fd, _ACCESS)
    if _copy_attribute(from_fd, to_fd, _ACCESS) or listed is None:
        return mode
    return _narrowed(mode, listed)


def _narrowed(mode: int, access_list: bytes) -> int:
    """With a list the group's bits of a mode are the most that anybody named in it gets; without
    it they would be what the owning group gets."""
    tag: int
    permissions: int
    for tag, permissions, _who in _ACL_ENTRY.iter_unpack(access_list[_ACL_VERSION.size :]):
        if tag == _ACL_OWNING_GROUP:
            return mode & ~(stat.S_IRWXG & ~(permissions << 3))
    return mode & ~stat.S_IRWXG


def _copy_user_attributes(from_fd: int, to_fd: int) -> None:
    if not hasattr(os, "listxattr"):
        return
    try:
        names = os.listxattr(from_fd)
    except OSError as error:
        if error.errno in _ABSENT:
            return
        raise
    for name in names:
        if name.startswith("user."):
            _copy_attribute(from_fd, to_fd, name)


def _copy_attribute(from_fd: int, to_fd: int, name: str) -> bool:
    """Set it as it is at the other file, or remove it as it is not there; False where the
    target's file system cannot hold it."""
    value = _attribute(from_fd, name)
    try:
        if value is not None:
            os.setxattr(to_fd, name, value)
        elif _attribute(to_fd, name) is not None:
            os.removexattr(to_fd, name)
    except OSError as error:
        # A list that names somebody whom this user namespace does not know.
        unknown = error.errno == errno.EINVAL and name in {_ACCESS, _DEFAULT}
        if error.errno not in _ABSENT and not unknown:
            raise
        return value is None
    return True


def _attribute(fd: int, name: str) -> bytes | None:
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(fd, name)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def give_owner(top: Directory, uid: int, gid: int) -> None:
    """Give a private tree of our own, and all in it, to a user and group.

    The kernel takes set-ID bits and capabilities away when an owner changes: what had been kept
    of them is set again.
    """

    def enter(cursor: Cursor) -> list[bytes]:
        names = names_in(cursor.here)
        for name in names.others:
            fd = cursor.here.open_file(name)
            try:
                _own(fd, uid, gid)
            finally:
                os.close(fd)
        return names.directories

    walk(top, enter, leave=lambda cursor: _own(cursor.here.fd, uid, gid))


def _own(fd: int, uid: int, gid: int) -> None:
    found = os.fstat(fd)
    if (found.st_uid, found.st_gid) == (uid, gid):
        return
    capability = _attribute(fd, _CAPABILITY)
    os.fchown(fd, uid, gid)
    if found.st_mode & _SPECIAL_BITS:
        os.fchmod(fd, stat.S_IMODE(found.st_mode))
    if capability is not None:
        os.setxattr(fd, _CAPABILITY, capability)
