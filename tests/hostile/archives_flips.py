"""Good archives with a byte changed, each in its turn."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
from collections.abc import Callable, Iterator

from tests.hostile.archives_cases import Case, Fate
from tests.hostile.archives_tar_writer import ahead, extended, file, header, tar_of
from tests.hostile.archives_zip_writer import DEFLATED, Part, zip_of

_QUICK_EVERY = 13


def flips(quick: bool) -> Iterator[Case]:
    """Whatever byte is wrong: taken as plain files, or refused; a zip never with other bytes."""
    for name, content in _good().items():
        for change in (0xFF, 0x01, 0x20):
            for at in range(0, len(content), _QUICK_EVERY if quick else 1):
                changed = content[:at] + bytes([content[at] ^ change]) + content[at + 1 :]
                yield Case(f"{name} at {at}", changed, Fate.EITHER)


def _good() -> dict[str, bytes]:
    parts = (
        Part(b"bin/tool", b"#!tool" * 20, stat.S_IFREG | 0o755, DEFLATED),
        Part(b"docs/", b"", stat.S_IFDIR | 0o755),
        Part(b"docs/text", b"text"),
    )
    tar = tar_of(
        header(b"docs/", b"5", mode=0o755),
        extended(path=b"docs/a name that is told ahead"),
        file(b"short", b"text"),
        ahead(b"L", b"another/name\0"),
        file(b"bin/tool", b"#!tool" * 20, mode=0o755),
    )
    packers: dict[str, Callable[[bytes], bytes]] = {
        "tar": bytes,
        "tar.gz": lambda content: gzip.compress(content, mtime=0),
        "tar.bz2": bz2.compress,
        "tar.xz": lzma.compress,
    }
    return {"zip": zip_of(*parts), **{name: pack(tar) for name, pack in packers.items()}}
