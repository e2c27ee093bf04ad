"""What uv remembers of indexes, wheels' metadata and interpreters: whether it can be read at all.

No digest covers any of it.  Answers over HTTP end like pointers do (3.3), so that their end can be
checked; they may be large, and only that end is read.  The rest is plain MessagePack.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError, TooLarge
from cachewright.formats.uv_pointers import LIMIT, PointerDamaged, guarded_end, unpack
from cachewright.formats.uv_references import TOO_LARGE, Damage, unread
from cachewright.model import Role

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

_OVER_HTTP: Final = re.compile(
    rb"(?P<bucket>(simple|wheels)-v[0-9]+)/.*\.(rkyv|msgpack)", re.DOTALL
)
_PLAIN: Final = re.compile(
    rb"(interpreter-v[0-9]+/.*|(sdists|built-wheels)-v[0-9]+/.*/metadata)\.msgpack", re.DOTALL
)
_LENGTH: Final = 8
_TAIL: Final = 12
_RULES_AT_MOST: Final = 1 << 20


class _End(Enum):
    """How a file ends: as either envelope does, or as none."""

    NEWER = "newer"
    OLDER = "older"
    NEITHER = "neither"


def damaged_answers(root: Directory, tree: Tree) -> Iterator[Damage]:
    """Those that uv cannot read; it asks again for them."""
    ends: dict[bytes, dict[bytes, _End]] = defaultdict(dict)
    for row in tree.rows_with_role(Role.METADATA).tolist():
        relative = tree.path(row)
        over_http = _OVER_HTTP.fullmatch(relative)
        if not tree.is_file(row) or not (over_http or _PLAIN.fullmatch(relative)):
            continue
        try:
            if over_http:
                ends[over_http["bucket"]][relative] = _end(root, relative)
            else:
                unpack(root.read(relative, LIMIT))
        except PointerDamaged as error:
            yield Damage(relative, str(error))
        except TooLarge:
            yield Damage(relative, TOO_LARGE)
        except FileNotFoundError:
            continue
        except (CachewrightError, OSError) as error:
            yield unread(relative, error)
    for found in ends.values():
        yield from _cut(found)


def _cut(found: Mapping[bytes, _End]) -> Iterator[Damage]:
    """The older envelope has no CRC: only a bucket where none fits is believed to be of it."""
    wanted = _End.NEWER if _End.NEWER in found.values() else _End.OLDER
    for relative, end in sorted(found.items()):
        if end is not wanted:
            yield Damage(relative, "it is cut short or its end was changed")


def _end(root: Directory, relative: bytes) -> _End:
    fd = root.open_file(relative)
    try:
        size = os.fstat(fd).st_size
        tail = os.pread(fd, _LENGTH, max(size - _LENGTH, 0))
        length = int.from_bytes(tail, "little")
        rules = size - length
        if _TAIL <= rules <= _RULES_AT_MOST and guarded_end(os.pread(fd, rules, length)):
            return _End.NEWER
        plausible = len(tail) == _LENGTH and length <= size - _LENGTH
        return _End.OLDER if plausible else _End.NEITHER
    finally:
        os.close(fd)
