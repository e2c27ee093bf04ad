"""What kind of file system a cache lies on: absence is only provable on a local one (E9)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.holders.mounts import Mount, covering, mount_of, mounts, unescape
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

EXPORT_TABLES: Final = ("/proc/fs/nfsd/exports", "/var/lib/nfs/etab")
"""Where the NFS server keeps what it exports, a path first on each line."""


@dataclass(frozen=True, slots=True)
class FilesystemFacts:
    """``type`` is the kernel's name.  ``local``: only programs on this computer can change it.
    ``exported``: this computer serves it to others.  ``why`` is one plain sentence."""

    type: str
    local: bool
    exported: bool
    why: str

    @property
    def conclusive(self) -> bool:
        """Whether every user of a file on it is a process of this computer."""
        return self.local and not self.exported


def facts(directory: Directory, tables: Sequence[str] = EXPORT_TABLES) -> FilesystemFacts:
    """The file system that ``directory`` lies on; unknown kinds are not local."""
    mount = mount_of(directory.fd)
    if mount is None:
        why = "The system does not tell what file system it lies on."
        return FilesystemFacts("", local=False, exported=False, why=why)
    if not mount.local:
        why = f"It lies on {mount.type}, which programs elsewhere may use without showing here."
        return FilesystemFacts(mount.type, local=False, exported=False, why=why)
    why = _exported(directory.path, mount, tables)
    if why:
        return FilesystemFacts(mount.type, local=True, exported=True, why=why)
    why = f"It lies on {mount.type}, on this computer only."
    return FilesystemFacts(mount.type, local=True, exported=False, why=why)


def _exported(path: bytes, mount: Mount, tables: Sequence[str]) -> str:
    """Why other computers may reach it; empty where they cannot.

    Paths are compared inside the file system, so an export of another mount of it counts.
    """
    inside = _inside(path, mount)
    known = mounts()
    for table in tables:
        try:
            with open(table, "rb", buffering=0) as file:
                lines = file.readall().splitlines()
        except FileNotFoundError:
            continue
        except OSError:
            return "Whether it is exported to other computers could not be read."
        for export in _paths(lines):
            other = covering(export, known)
            if other and other.device == mount.device and _nested(_inside(export, other), inside):
                return f"It is exported to other computers ({display(export)})."
    return ""


def _paths(lines: Iterable[bytes]) -> Iterable[bytes]:
    for line in lines:
        if line[:1] == b"/":
            yield os.path.realpath(unescape(line.split()[0]))


def _inside(path: bytes, mount: Mount) -> bytes:
    """Where an absolute path lies within the file system that is mounted there."""
    return os.path.normpath(os.path.join(mount.root, os.path.relpath(path, mount.point)))


def _nested(one: bytes, other: bytes) -> bool:
    return os.path.commonpath([one, other]) in {one, other}
