"""What is mounted where, on Linux.

The kernel's own tables (/proc/locks, /proc/PID/maps) name a file by the *file system's* device
number.  ``stat`` agrees on most file systems; on btrfs every subvolume has a number of its own,
and on overlay a file of a lower layer may have another inode too.  ``Mount.device`` is the
number that the kernel's tables use.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

LOCAL_TYPES: Final = frozenset({
    "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "overlay", "zfs", "f2fs", "jfs",
    "bcachefs", "reiserfs", "nilfs2", "apfs", "hfs", "ntfs", "ntfs3", "vfat", "exfat",
})  # fmt: skip
"""Kept on this computer and changed by nobody but its kernel (reliability.md E9).

FUSE is not among them: what lies behind it is not known.  Nor are file systems that several
hosts can mount at once (gfs2, ocfs2, ceph, lustre, nfs, cifs, 9p, virtiofs).
"""

RENUMBERING_TYPES: Final = frozenset({"overlay"})
"""File systems whose files cannot be told by number in the kernel's tables."""

_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo.  ``root`` is the part of the file system that shows at ``point``."""

    id: int
    device: int
    root: bytes
    point: bytes
    type: str
    options: str

    @property
    def local(self) -> bool:
        return self.type in LOCAL_TYPES


def unescape(field: bytes) -> bytes:
    r"""Undo the kernel's ``\040`` spelling of blanks in its tables."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field)


def _parse(line: bytes) -> Mount | None:
    head, separator, tail = line.partition(b" - ")
    fields, rest = head.split(b" "), tail.split(b" ")
    if not separator or len(fields) < 6 or len(rest) < 3:  # noqa: PLR2004 - proc(5) mountinfo
        return None
    major, _, minor = fields[2].partition(b":")
    return Mount(
        id=int(fields[0]),
        device=os.makedev(int(major), int(minor)),
        root=unescape(fields[3]),
        point=unescape(fields[4]),
        type=rest[0].decode("utf-8", "replace"),
        options=b",".join([fields[5], *rest[2:]]).decode("utf-8", "replace"),
    )


def _lines() -> list[bytes]:
    try:
        with open("/proc/self/mountinfo", "rb", buffering=0) as file:
            return file.readall().splitlines()
    except OSError:
        return []


def mounts() -> tuple[Mount, ...]:
    """Everything mounted in our mount namespace; empty where the system does not tell."""
    return tuple(mount for line in _lines() if (mount := _parse(line)))


def mount_of(fd: int) -> Mount | None:
    """The mount through which a descriptor was opened, or None where that is not told."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb", buffering=0) as file:
            lines = file.readall().splitlines()
    except OSError:
        return None
    ids = {line.split()[1] for line in lines if line.startswith(b"mnt_id:")}
    # Asked for every single lock: only the one line is taken apart.
    own = (line for line in _lines() if line.partition(b" ")[0] in ids)
    return next((mount for line in own if (mount := _parse(line))), None)


def covering(path: bytes, table: tuple[Mount, ...]) -> Mount | None:
    """The mount that an absolute, resolved path lies in: the deepest, the latest of equals."""
    best: Mount | None = None
    for mount in table:
        inside = path == mount.point or path.startswith(mount.point.rstrip(b"/") + b"/")
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best
