"""Scratch directories on file systems of several kinds, gone again afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

KINDS: Final = ("tmpfs", "ext4", "xfs", "btrfs")

_MAKE: Final = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
_IMAGE_BYTES: Final = 400 << 20
"""Of a sparse file: xfs takes no less than 300 MiB."""
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a file system in memory, where images are quick


class NoMount(Exception):
    """This kernel or container does not let us mount; the message is what it says."""


def missing_tools(kinds: tuple[str, ...] = KINDS) -> tuple[str, ...]:
    """The commands that are needed and not installed."""
    makers = (_MAKE[kind][0] for kind in kinds if kind in _MAKE)
    return tuple(name for name in ("mount", "umount", *makers) if shutil.which(name) is None)


@contextmanager
def scratch(kind: str, size: str = "256m") -> Iterator[Path]:
    """An empty directory, the top of a new file system of this kind.

    Unmounted, and its image and loop device gone, when the block ends; with ``enclosed`` also
    when the process is killed.  Raises ``NoMount`` where mounting is refused.  ``size`` is for
    tmpfs only.
    """
    with ExitStack() as stack:
        base = Path(tempfile.mkdtemp(prefix="crash-", dir=_MEMORY if _MEMORY.is_dir() else None))
        stack.callback(shutil.rmtree, base)
        top = base / kind
        top.mkdir()
        if kind == "tmpfs":
            mount = ["-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs"]
        else:
            mount = ["-o", "loop", os.fspath(_image(base, kind))]
        _run("mount", *mount, os.fspath(top))
        stack.callback(_run, "umount", os.fspath(top))
        yield top


def _image(base: Path, kind: str) -> Path:
    path = base / f"{kind}.img"
    with path.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    _run(*_MAKE[kind], os.fspath(path))
    return path


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NoMount(f"{command[0]}: {done.stderr.strip()}")
