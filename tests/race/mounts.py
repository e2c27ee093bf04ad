"""File systems that are made for a race and gone after it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.race import cells

FILE_SYSTEMS: Final = ("ext4", "tmpfs")
_SIZE: Final = 4 << 30


@contextmanager
def mounted(kind: str) -> Iterator[Path]:
    """A new file system of this kind; ``CalledProcessError`` where mounting is refused.

    The image of ext4 lies in memory: what readers see does not depend on the disk's pace.
    """
    with cells.scratch() as aside:
        place = aside / "mounted"
        place.mkdir()
        if kind == "tmpfs":
            arguments = ["-t", "tmpfs", "-o", f"size={_SIZE},nr_inodes=0", "race"]
        else:
            image = aside / "image"
            with image.open("wb") as file:
                file.truncate(_SIZE)
            subprocess.run(["mkfs.ext4", "-q", "-N", "600000", image], check=True)
            arguments = ["-o", "loop,noatime", str(image)]
        subprocess.run(["mount", *arguments, place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)
