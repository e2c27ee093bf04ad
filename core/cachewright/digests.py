"""Digests of files and of whole directories, spelled as the caches' own tools spell them."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

BLOCK: Final = 1 << 20
"""Bytes read at once: larger gains nothing, smaller costs more calls (performance.md 2)."""


class Cancellable(Protocol):
    """Anything that can stop or pause the work between two blocks, e.g. a ``CancelToken``."""

    def check(self) -> None: ...


class Hash(Protocol):
    """What ``hashlib`` objects have in common."""

    def update(self, data: memoryview | bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What hashing one regular file gave.

    ``size`` in bytes is the number of bytes hashed; ``mode`` is ``st_mode`` as stat gave it;
    ``values`` maps hashlib's algorithm names to lower-case hex.
    """

    size: int
    mode: int
    values: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """The SHA-256 in hex; ``KeyError`` if it was not asked for."""
        return self.values["sha256"]


def new_hashes(algorithms: Collection[str]) -> dict[str, Hash]:
    """One running hash per hashlib algorithm name; ``ValueError`` for a name it lacks."""
    return {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}


def hex_values(hashes: Mapping[str, Hash]) -> dict[str, str]:
    """What ``FileDigest.values`` wants."""
    return {name: running.hexdigest() for name, running in hashes.items()}


def hash_file(
    fd: int,
    algorithms: Collection[str],
    cancel: Cancellable,
    buffer: bytearray | None = None,
) -> tuple[int, dict[str, str]]:
    """Hash what an open descriptor gives from its position to its end, block by block.

    Returns the number of bytes and the hex values by algorithm.  ``cancel.check()`` is called
    before each block, so a sparse giant can be left at once; ``buffer`` (``BLOCK`` bytes) may
    be reused between calls.  ``OSError`` of the read is raised as it is.
    """
    hashes = new_hashes(algorithms)
    updates = [running.update for running in hashes.values()]
    view = memoryview(buffer if buffer is not None else bytearray(BLOCK))
    total = 0
    while True:
        cancel.check()
        count = os.readv(fd, [view])
        if not count:
            return total, hex_values(hashes)
        total += count
        block = view[:count]
        for update in updates:
            update(block)


def h1(files: Mapping[bytes, FileDigest]) -> str:
    """Terraform's directory hash, base64, without the ``h1:`` in front (terraform.md 2.2).

    ``files`` maps names relative to the directory, with ``/``, to digests that hold SHA-256.
    Directories, modes and times do not count.  A name with a line break is a ``ValueError``,
    as it is an error to the tool itself.
    """
    whole = hashlib.sha256()
    for name in sorted(files):
        if b"\n" in name:
            raise ValueError("a file name with a line break has no h1 digest")
        whole.update(b"%s  %s\n" % (files[name].sha256.encode("ascii"), name))
    return base64.b64encode(whole.digest()).decode("ascii")
