"""What is measured: how its input is made, ours, and the peers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.bench.holding import looking
from tests.bench.rounds import Row, command, compare, shell

from cachewright.inventory.tree import Tree
from cachewright.inventory.walker import scan as scan_cache
from cachewright.model import CancelToken, no_progress
from cachewright.storage.anchored import Directory
from cachewright.verify import EntryFiles, verify

_LEAF: Final = 250
_BLOCK: Final = 1 << 20


def plant(top: Path, files: int, size: int) -> None:
    """So many files of random content, 250 to a directory, three floors down."""
    for number in range(0, files, _LEAF):
        leaf = top / f"{number // _LEAF % 16:02}" / f"v{number // _LEAF}" / "files"
        leaf.mkdir(parents=True)
        block = os.urandom(size * _LEAF) if size <= _BLOCK else b""
        for index in range(min(_LEAF, files - number)):
            with (leaf / f"file-{number + index}").open("wb") as file:
                if size <= _BLOCK:
                    file.write(block[index * size : (index + 1) * size])
                else:
                    for _ in range(size // _BLOCK):
                        file.write(os.urandom(_BLOCK))


def scan(top: Path) -> Tree:
    with Directory.open(os.fsencode(top)) as root:
        return scan_cache(root, (), progress=no_progress, cancel=CancelToken())


def verifying(top: Path) -> Callable[[], None]:
    """Verification alone: the inventory is made before."""
    tree = scan(top)

    def run() -> None:
        with Directory.open(os.fsencode(top)) as root:
            jobs = [EntryFiles(row, root, tree.path(row), tree, row) for row in tree.children(0)]
            done = verify(jobs, ["sha256"], progress=no_progress, cancel=CancelToken())
            hashed = sum(len(one.files) for one in done)
        if hashed != int(tree.total_files[0]):
            raise RuntimeError(f"only {hashed} files were hashed")

    return run


OURS: Final[dict[str, Callable[[Path], object]]] = {
    "scan": scan,
    "verify": lambda top: verifying(top)(),
    "holders": lambda cache: looking(cache)(),
}


def alone(kind: str, top: Path) -> list[str | Path]:
    return [sys.executable, "-m", "tests.bench", "--only", kind, top]


def measure_scan(top: Path, files: int, runs: int) -> list[Row]:
    plant(top, files, 20)
    peers = {
        "find -printf": command("find", top, "-printf", "%s %T@ %i\n"),
        "du -s": command("du", "-s", top),
    }
    return compare(f"scan {files} files", lambda: scan(top), alone("scan", top), peers, runs)


def measure_verify(top: Path, files: int, size: int, runs: int) -> list[Row]:
    plant(top, files, size)
    both = f"-n {max(1, min(2000, files // 2))} -P {os.cpu_count() or 1}"
    peers = {
        "xargs sha256sum": shell('find "$1" -type f -print0 | xargs -0 sha256sum', top),
        f"xargs {both} sha256sum": shell(
            f'find "$1" -type f -print0 | xargs -0 {both} sha256sum', top
        ),
    }
    if shutil.which("openssl"):
        line = f'find "$1" -type f -print0 | xargs -0 {both} openssl dgst -sha256'
        peers[f"xargs {both} openssl"] = shell(line, top)
    work = f"verify {files} files of {size} bytes"
    return compare(work, verifying(top), alone("verify", top), peers, runs)
