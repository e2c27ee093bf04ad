"""What uv makes of a wheel's RECORD when it unpacks it: the same files must be in both (3.4)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cachewright.digests import FileDigest


def healed(record: bytes, files: Mapping[bytes, FileDigest]) -> bytes:
    """The RECORD as uv leaves it beside ``files``, all that the wheel holds.

    Rows of files that are not there go; files without a row get one with their size and no
    digest; rows are then in the order of their paths.  A RECORD that agrees stays as it is, to
    the byte.  ``ValueError`` where it is no RECORD at all.
    """
    text = io.StringIO(record.decode("utf-8"), newline="")
    try:
        rows = {line[0]: line for line in csv.reader(text, strict=True) if line}
    except csv.Error as error:
        raise ValueError(str(error)) from None
    present = {name.decode("utf-8"): digest for name, digest in files.items()}
    if rows.keys() == present.keys():
        return record
    kept = {path: line for path, line in rows.items() if path in present}
    added = {
        path: [path, "", str(digest.size)] for path, digest in present.items() if path not in rows
    }
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(line for _path, line in sorted({**kept, **added}.items()))
    return out.getvalue().encode()
