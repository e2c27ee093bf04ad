"""Which tools of this machine a part needs, and which Debian package has each of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Final

_ALSO: Final = "/usr/sbin:/sbin:/usr/bin:/bin"

PACKAGE_OF: Final[Mapping[str, str]] = {
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg-deb": "dpkg",
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "modprobe": "kmod",
    "depmod": "kmod",
    "dmsetup": "dmsetup",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.vfat": "dosfstools",
    "mkfs.exfat": "exfatprogs",
    "rpc.nfsd": "nfs-kernel-server",
    "exportfs": "nfs-kernel-server",
    "mount.nfs": "nfs-common",
    "rpcbind": "rpcbind",
    "bindfs": "bindfs",
    "unshare": "util-linux",
}


class Missing(Exception):
    """A tool or package is not there; the message says what to install."""


def path() -> str:
    """``PATH`` with the places of system tools, whoever runs this."""
    return os.environ.get("PATH", "") + ":" + _ALSO


def require(tools: Iterable[str]) -> None:
    """Raise ``Missing``, naming every package that is not installed, unless all are there."""
    lacking = sorted(
        {PACKAGE_OF[tool] for tool in tools if shutil.which(tool, path=path()) is None}
    )
    if lacking:
        raise Missing(f"packages are missing; install them: apt-get install {' '.join(lacking)}")
