"""clcache's records as they are read: manifests, statistics and configuration.

All of them are JSON that anybody may have written.  What cannot be used is told with one plain
reason and with what clcache itself makes of it; nothing here ever raises anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cachewright.formats.clcache_layout import KEY, direct_key
from cachewright.strict_json import Fault, JsonRefused, read
from cachewright.text import display, elide

MANIFEST_LIMIT: Final = 16 << 20
"""Bytes of a manifest that are read; one with ten thousand includes has a megabyte."""
RECORD_LIMIT: Final = 1 << 20

ENTRIES: Final = "CacheEntries"
SIZE: Final = "CacheSize"
MAXIMUM: Final = "MaximumCacheSize"
_COUNTERS: Final = frozenset(
    {
        ENTRIES,
        SIZE,
        "CacheHits",
        "CacheMisses",
        "CallsForExternalDebugInfo",
        "CallsForLinking",
        "CallsForPreprocessing",
        "CallsWithInvalidArgument",
        "CallsWithMultipleSourceFiles",
        "CallsWithPch",
        "CallsWithoutSourceFile",
        "EvictedMisses",
        "HeaderChangedMisses",
        "SourceChangedMisses",
    }
)

PASSED_OVER: Final = "clcache passes over it with a message."
FAILS: Final = "Every build that needs it fails."
SLOW: Final = "clcache would read all of it for every build."


class Damaged(Exception):
    """A record that cannot be used: why, and what clcache does with it."""

    def __init__(self, reason: str, effect: str = FAILS) -> None:
        super().__init__(reason)
        self.reason = reason
        self.effect = effect


_WORDS: Final = {
    Fault.NOT_TEXT: ("it is not text", PASSED_OVER),
    Fault.NOT_JSON: ("it is cut off, or no JSON at all", PASSED_OVER),
    Fault.TWICE: ("it says one thing twice", "clcache believes what stands last."),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One line of a manifest: for this content of the includes, that object."""

    includes: str
    key: str
    header: str

    def follows_from(self, stem: str) -> bool:
        """Whether the object's key is the one that a manifest of this name must name."""
        return direct_key(stem, self.includes) == self.key


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many entries of how many bytes clcache counted."""

    entries: int
    size: int


def manifest(content: bytes) -> tuple[Reference, ...]:
    """The lines of a manifest, the newest first; raises ``Damaged``."""
    lines = _object(content).get("entries")
    if not isinstance(lines, list):
        raise Damaged("it has no list of entries")
    return tuple(_reference(line) for line in lines)


def _reference(line: object) -> Reference:
    if not isinstance(line, dict):
        raise Damaged("one of its entries is no object")
    files = line.get("includeFiles")
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise Damaged("one of its entries has no list of include files")
    includes, key = line.get("includesContentHash"), line.get("objectHash")
    if not (isinstance(includes, str) and isinstance(key, str) and _is_key(includes)):
        raise Damaged("one of its entries lacks its hashes")
    if not _is_key(key):
        raise Damaged(f"it names {display(elide(key, 40))}, which is no object's key")
    return Reference(includes, key, _header(files))


def _is_key(value: str) -> bool:
    return value.isascii() and KEY.fullmatch(value.encode()) is not None


_OF_SYSTEM: Final = re.compile(r"(?i)[a-z]:[\\/]program files")


def _header(files: list[str]) -> str:
    """The name of an include that tells a person something: of the project, if there is one."""
    own = [name for name in files if not _OF_SYSTEM.match(name)]
    first = next(iter(own or files), "")
    return re.split(r"[\\/?]", first)[-1][:80]


def statistics(content: bytes) -> Statistics:
    """What ``stats.txt`` counts; a counter that it lacks is 0.  Raises ``Damaged``."""
    record = _object(content)
    for name in sorted(_COUNTERS & record.keys()):
        if not _is_number(record[name]):
            raise Damaged(f"its {name} is no whole number")
    return Statistics(int(record.get(ENTRIES, 0)), int(record.get(SIZE, 0)))


def configuration(content: bytes) -> int | None:
    """The largest size in bytes, None where the default holds.  Raises ``Damaged``."""
    maximum = _object(content).get(MAXIMUM, 1)
    if not _is_number(maximum) or maximum < 1:
        raise Damaged(f"its {MAXIMUM} is no size")
    return int(maximum)


def recounted(old: bytes, entries: int, size: int) -> bytes:
    """``stats.txt`` with these counts; every other counter is kept, or 0 where it is none."""
    try:
        record = _object(old)
    except Damaged:
        record = {}
    kept = {
        name: value
        for name, value in record.items()
        if name not in _COUNTERS and isinstance(value, str | int | float | None)
    }
    counters = {name: value if _is_number(value := record.get(name)) else 0 for name in _COUNTERS}
    whole = {**kept, **counters, ENTRIES: entries, SIZE: size}
    return json.dumps(whole, indent=4, sort_keys=True).encode("ascii")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _object(content: bytes) -> Mapping[str, Any]:
    if not content:
        raise Damaged("it is empty", PASSED_OVER)
    try:
        record = read(content, MANIFEST_LIMIT, halves=True)
    except JsonRefused as error:
        raise Damaged(*_WORDS.get(error.fault, (f"it {error}",))) from None
    if not isinstance(record, dict):
        raise Damaged("it is no JSON object")
    return record
