"""Good copies of single files in other places: believed only where the lists' digests fit."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.digests import FileDigest, hash_file
from cachewright.errors import CachewrightError, Changed
from cachewright.formats.checksums_judge import named
from cachewright.formats.checksums_lists import WEAK
from cachewright.storage.anchored import Directory, identity
from cachewright.storage.copying import copy_file

if TYPE_CHECKING:
    from cachewright.formats.checksums_claims import Claim
    from cachewright.model import CancelToken

_ALWAYS: Final = "sha256"
"""What a publication compares, whatever the lists record."""


@dataclass(frozen=True, slots=True)
class FileCopy:
    """One file elsewhere whose digests fit (a ``GoodCopy``)."""

    path: bytes
    proof: str
    digest: FileDigest

    def files(self) -> Mapping[bytes, FileDigest]:
        return {os.path.basename(self.path): self.digest}

    def write_into(self, staging: Directory, cancel: CancelToken) -> Mapping[bytes, FileDigest]:
        name = os.path.basename(self.path)
        with Directory.open(os.path.dirname(self.path)) as source:
            return {name: copy_file(source, staging, name, cancel, sorted(self.digest.values))}


def candidates(sources: Sequence[bytes], relative: bytes) -> Iterator[bytes]:
    """Where a copy of the tree, or of a part of it, would hold the file."""
    name = os.path.basename(relative)
    for source in sources:
        if os.path.basename(source) == name:
            yield source
        yield os.path.join(source, relative)
        yield os.path.join(source, name)


def find_copies(
    places: Iterator[bytes],
    claims: Sequence[Claim],
    own: tuple[int, int] | None,
    cancel: CancelToken,
) -> Iterator[FileCopy]:
    """Those of ``places`` that fit every strongest claim; ``own`` is the file itself."""
    strong = [one for one in claims if one.algorithm and one.algorithm not in WEAK]
    decisive = strong or [one for one in claims if one.algorithm]
    if not decisive:
        return
    algorithms = sorted({_ALWAYS, *(one.algorithm for one in decisive)})
    for path in dict.fromkeys(places):
        found = _digest(path, algorithms, own, cancel)
        if found is not None and all(found.values[one.algorithm] == one.value for one in decisive):
            yield FileCopy(path, f"its content is what {named(decisive)} records", found)


def _digest(
    path: bytes, algorithms: Sequence[str], own: tuple[int, int] | None, cancel: CancelToken
) -> FileDigest | None:
    """None for anything but a plain file that stays as it is and is not ``own``."""
    try:
        with Directory.open(os.path.dirname(path)) as parent:
            fd = parent.open_file(os.path.basename(path))
            try:
                before = os.fstat(fd)
                if (before.st_dev, before.st_ino) == own:
                    return None
                size, values = hash_file(fd, algorithms, cancel)
                if identity(os.fstat(fd)) != identity(before):
                    raise Changed(path=path, what="its content")
            finally:
                os.close(fd)
    except (OSError, CachewrightError):
        cancel.check()  # asked to stop is no reason to look further
        return None
    return FileDigest(size, stat.S_IFREG | stat.S_IMODE(before.st_mode), values)
