"""Mount file systems of other kinds, inside the small machine."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

from tests.crash.vm.initrd import DISKS

FAILING_BYTES: Final = 400 << 20
DISKS_BYTES: Final = {
    "vfat": 96 << 20,
    "exfat": 96 << 20,
    "nfs": 256 << 20,
    "failing": FAILING_BYTES,
}
"""The disks that the machine is given, by name."""

_MOUNTS: Final = Path("/run/mounts")
_OURS: Final = "uid=0,gid=0,umask=0077"
_EXPORT: Final = Path("/run/mounts/exported")
_SERVER_FOLDERS: Final = ("/var/lib/nfs/v4recovery", "/var/lib/nfs/sm", "/run/rpcbind")
_SERVER_FILES: Final = ("/var/lib/nfs/etab", "/var/lib/nfs/rmtab")


def run(*command: str) -> None:
    """Run a tool; what it prints is told only where it fails."""
    with TemporaryFile() as said:
        done = subprocess.run(command, check=False, stdout=said, stderr=said)
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{shlex.join(command)}: {said.read().decode(errors='replace')}")


@contextmanager
def mounted(source: str, name: str, *options: str) -> Iterator[Path]:
    """``mount OPTIONS SOURCE``, somewhere called ``name``, for the block."""
    top = _MOUNTS / name
    top.mkdir(parents=True, exist_ok=True)
    run("mount", *options, source, os.fspath(top))
    try:
        yield top
    finally:
        run("umount", os.fspath(top))


@contextmanager
def vfat() -> Iterator[Path]:
    run("modprobe", "-a", "vfat", "nls_ascii", "nls_cp437", "nls_utf8")
    run("mkfs.vfat", f"{DISKS}/vfat")
    with mounted(f"{DISKS}/vfat", "vfat", "-t", "vfat", "-o", f"utf8,{_OURS}") as top:
        yield top


@contextmanager
def exfat() -> Iterator[Path]:
    run("modprobe", "exfat")
    run("mkfs.exfat", f"{DISKS}/exfat")
    with mounted(f"{DISKS}/exfat", "exfat", "-t", "exfat", "-o", _OURS) as top:
        yield top


@contextmanager
def nfs4() -> Iterator[Path]:
    with mounted("127.0.0.1:/", "nfs4", "-t", "nfs", "-o", "vers=4.2") as top:
        yield top


@contextmanager
def nfs3() -> Iterator[Path]:
    with mounted(f"127.0.0.1:{_EXPORT}", "nfs3", "-t", "nfs", "-o", "vers=3") as top:
        (top / "three").mkdir()  # the other one shares the disk
        yield top / "three"


@contextmanager
def fuse() -> Iterator[Path]:
    """A directory seen through a program that passes on what it knows of."""
    with TemporaryDirectory(prefix="fuse-") as name:
        below, top = Path(name) / "below", Path(name) / "top"
        below.mkdir()
        top.mkdir()
        run("bindfs", os.fspath(below), os.fspath(top))
        try:
            yield top
        finally:
            run("umount", os.fspath(top))


def serve() -> None:
    """An NFS server on loopback, whose processes end with the machine."""
    run("modprobe", "-a", "nfsd", "nfs", "nfsv3", "nfsv4")
    run("busybox", "ip", "link", "set", "lo", "up")
    run("mkfs.ext4", "-q", "-F", f"{DISKS}/nfs")
    _EXPORT.mkdir(parents=True)
    run("mount", f"{DISKS}/nfs", os.fspath(_EXPORT))
    run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd")
    for folder in _SERVER_FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)
    for file in _SERVER_FILES:
        Path(file).touch()
    run("rpcbind", "-w")
    run("rpc.statd", "--no-notify")
    run("rpc.mountd")
    run("rpc.nfsd", "2")
    options = "rw,no_root_squash,insecure,fsid=0,no_subtree_check"
    run("exportfs", "-o", options, f"*:{_EXPORT}")


KINDS: Final[Mapping[str, Callable[[], AbstractContextManager[Path]]]] = {
    "bindfs": fuse,
    "vfat": vfat,
    "exfat": exfat,
    "nfs 4.2": nfs4,
    "nfs 3": nfs3,
}
"""The last two need ``serve``."""
HERE: Final = frozenset({"bindfs"})
"""What needs no other kernel."""
