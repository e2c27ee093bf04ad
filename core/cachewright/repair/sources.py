"""A directory or archive that a person names as the good copy of an entry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cachewright.errors import CachewrightError, Cancelled, SourceUnusable
from cachewright.storage.anchored import Directory
from cachewright.storage.archives.kinds import open_archive
from cachewright.storage.copying import copy_tree

if TYPE_CHECKING:
    from cachewright.digests import Cancellable, FileDigest


def write_source(
    source: bytes,
    entry: str,
    staging: Directory,
    cancel: Cancellable,
    *,
    special_modes: bool = False,
) -> Mapping[bytes, FileDigest]:
    """Copy the directory, or unpack the archive, at ``source`` into ``staging``.

    Archives are zip, tar, tar.gz, tar.bz2 or tar.xz, known by their content.  ``special_modes``:
    set-ID and sticky bits of a directory's files are kept; an archive's never are.  Returns the
    digests of the bytes that were written.  ``SourceUnusable`` says why it cannot be used;
    ``OSError`` is about the staging place, or a directory that cannot be read.
    """
    if not os.path.isdir(source):
        with open_archive(source, cancel) as archive:
            return archive.write_into(staging, cancel)
    try:
        with Directory.open(source) as directory:
            return copy_tree(directory, staging, cancel, special_modes=special_modes)
    except Cancelled:
        raise
    except CachewrightError as error:
        raise SourceUnusable(source=source, entry=entry, reason=str(error)) from error
