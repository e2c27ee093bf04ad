"""A Debian kernel with every driver as a module, unpacked without being installed."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.crash.vm.packages import Missing, require

_TOOLS: Final = ("apt-get", "apt-cache", "dpkg-deb", "depmod")
_META: Final = "linux-image-amd64"
_NEWEST: Final = re.compile(r"Depends: (linux-image-(\S+))")


@dataclass(frozen=True)
class Kernel:
    """``tree`` is the unpacked package: its modules lie in ``modules``."""

    version: str
    tree: Path

    @property
    def image(self) -> Path:
        return self.tree / "boot" / f"vmlinuz-{self.version}"

    @property
    def modules(self) -> Path:
        return self.tree / "lib" / "modules" / self.version


def unpacked(folder: Path) -> Kernel:
    """The newest kernel of this Debian release, in ``folder``; fetched only where it is not there
    yet.  ``Missing`` where a tool is, or where apt knows of no kernel."""
    require(_TOOLS)
    package, version = _newest()
    kernel = Kernel(version, folder / package)
    if not kernel.tree.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            tree = _unpack(package, version, Path(place))
            tree.rename(kernel.tree)
    return kernel


@contextmanager
def kept() -> Iterator[Path]:
    """Where unpacked kernels are: the folder that ``CACHEWRIGHT_KERNELS`` names, to be used
    again, else one that is gone afterwards."""
    named = os.environ.get("CACHEWRIGHT_KERNELS")
    if named:
        yield Path(named)
        return
    with tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        yield Path(folder)


def _newest() -> tuple[str, str]:
    said = subprocess.run(
        ["apt-cache", "depends", _META], capture_output=True, text=True, check=False
    )
    found = _NEWEST.search(said.stdout)
    if found is None:
        raise Missing(f"apt knows no {_META}; run apt-get update")
    return found[1], found[2]


def _unpack(package: str, version: str, place: Path) -> Path:
    fetch = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "download", package]
    told = subprocess.run(fetch, cwd=place, capture_output=True, text=True, check=False)
    found = list(place.glob("*.deb"))
    if told.returncode or not found:
        raise Missing(f"apt could not download {package}: {told.stderr.strip()}")
    tree = place / "tree"
    subprocess.run(["dpkg-deb", "-x", os.fspath(found[0]), os.fspath(tree)], check=True)
    subprocess.run(["depmod", "-b", os.fspath(tree), version], check=True)
    return tree
