"""A directory or archive that a person names as the good copy of an entry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError, Cancelled, SourceUnusable
from cachewright.storage.anchored import Directory
from cachewright.storage.archive import ZipContent
from cachewright.storage.copying import copy_tree

if TYPE_CHECKING:
    from cachewright.digests import Cancellable, FileDigest


def write_source(
    source: bytes, entry: str, staging: Directory, cancel: Cancellable
) -> Mapping[bytes, FileDigest]:
    """Copy the directory, or unpack the zip archive, at ``source`` into ``staging``.

    Returns the digests of the bytes that were written.  ``SourceUnusable`` says why it cannot
    be used; ``OSError`` is about the staging place.
    """
    if not os.path.isdir(source):
        with ZipContent.open(source) as archive:
            return archive.write_into(staging, cancel)
    try:
        with Directory.open(source) as directory:
            return copy_tree(directory, staging, cancel)
    except Cancelled:
        raise
    except CachewrightError as error:
        raise SourceUnusable(source=source, entry=entry, reason=str(error)) from error
