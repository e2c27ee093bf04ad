"""Which kind of archive a file is, by its first bytes: its name says nothing."""

from __future__ import annotations

import os
from typing import Final

from cachewright.digests import Cancellable
from cachewright.errors import SourceUnusable
from cachewright.storage.archives.content import ArchiveContent, open_file
from cachewright.storage.archives.limits import DEFAULT_LIMITS, ArchiveLimits
from cachewright.storage.archives.packing import PACKED
from cachewright.storage.archives.tar_content import TarContent
from cachewright.storage.archives.tar_headers import BLOCK_BYTES, is_tar
from cachewright.storage.archives.zip_content import ZipContent

_ZIP: Final = (b"PK\3\4", b"PK\5\6")
_ZSTD: Final = b"\x28\xb5\x2f\xfd"

KINDS: Final = "zip, tar, tar.gz, tar.bz2, tar.xz"
"""What can be opened, for messages."""


def open_archive(
    path: bytes, cancel: Cancellable, limits: ArchiveLimits = DEFAULT_LIMITS
) -> ArchiveContent:
    """Open the archive at ``path`` and judge all its members; ``SourceUnusable`` where it is
    missing, of no kind that is read here, damaged, or not harmless."""
    fd = open_file(path)
    try:
        head = os.pread(fd, BLOCK_BYTES, 0)
    finally:
        os.close(fd)
    if head.startswith(_ZIP):
        return ZipContent.open(path, limits, cancel=cancel)
    if head.startswith(tuple(PACKED)) or is_tar(head):
        return TarContent.open(path, limits, cancel=cancel)
    what = "it is packed with zstd" if head.startswith(_ZSTD) else "it is no archive"
    raise SourceUnusable(
        source=path, entry="an entry", reason=f"{what}; read are directories and {KINDS}"
    )
