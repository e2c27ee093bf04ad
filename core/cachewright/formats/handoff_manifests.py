"""Manifests that name files with their size and digest: JSON, lines of text, or columns.

There is no standard; what is understood is what many tools write.  A manifest is hostile: what
cannot be used is told, the rest compared.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cachewright.formats.checksums_claims import Claim, Claims, ListFile, Names, read_settled
from cachewright.formats.checksums_lists import (
    BY_LENGTH,
    DIGITS,
    TROUBLES,
    Trouble,
    algorithm_named,
    parse,
    too_many,
)
from cachewright.formats.checksums_places import resolved
from cachewright.strict_json import JsonRefused, read

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

MANIFESTS: Final = re.compile(
    rb"(?i:(?:.*[._-])?manifest(?:\.json|\.txt|\.csv|\.tsv)?|.+\.manifest)", re.DOTALL
)
LIMIT: Final = 16 << 20
_LINES: Final = 200_000
_NAMES: Final = ("name", "path", "file", "filename", "file_name", "key", "relative_path")
_SIZES: Final = ("size", "bytes", "length", "content_length", "size_bytes", "filesize")
_PLAIN: Final = ("checksum", "digest", "hash", "etag_sha256")
_LISTS: Final = ("files", "entries", "objects", "items", "artifacts", "parts")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{32,128}")
_PREFIXED: Final = re.compile(r"([A-Za-z0-9_-]+)[:=]([0-9A-Fa-f]{32,128})")
_COLUMNS: Final = re.compile(rb"[\t,;]")
_SIZE_LIMIT: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class _Said:
    """One file as a manifest tells of it."""

    number: int
    name: bytes
    size: int
    digests: tuple[tuple[str, str], ...]


def read_manifest(root: Directory, names: Names, relative: bytes, claims: Claims) -> None:
    """Add what one manifest says to ``claims``."""
    content, about = read_settled(root, relative, LIMIT)
    claims.lists.append(about)
    if content is None:
        return
    text = content.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] in {b"{", b"["}:
        about.unit = "entry"
        said = _of_json(text, about)
    else:
        said = _of_lines(text, about)
    for one in said:
        _claim(names, relative, one, about, claims)
    if not about.lines and not about.troubles and not about.unread:
        about.general.append(
            "It names no file together with a size or a digest, so nothing was compared with it."
        )


def _claim(names: Names, relative: bytes, one: _Said, about: ListFile, claims: Claims) -> None:
    path, why = resolved(os.path.dirname(relative), one.name)
    if why:
        about.troubles.append(Trouble(one.number, why))
        return
    path = names.through_link(path)
    if not one.digests:
        claims.add(about, path, Claim("", "", relative, one.number, one.size, about.unit))
    for algorithm, value in one.digests:
        claims.add(about, path, Claim(algorithm, value, relative, one.number, one.size, about.unit))


def _of_json(text: bytes, about: ListFile) -> list[_Said]:
    try:
        data = read(text, LIMIT, halves=True)
    except JsonRefused as error:
        line = f", line {error.line}" if error.line else ""
        about.unread = f"it is no JSON that can be relied on (it {error}{line})"
    else:
        return list(_of_data(data, about))
    return []


def _of_data(data: Any, about: ListFile) -> Iterator[_Said]:
    if isinstance(data, dict):
        for key in _LISTS:
            if isinstance(data.get(key), (list, dict)):
                data = data[key]
                break
    if isinstance(data, dict):
        items = [(key, value) for key, value in data.items() if key not in _NAMES]
        single = [data] if any(isinstance(data.get(key), str) for key in _NAMES) else []
        records: list[tuple[Any, Any]] = [(None, one) for one in single] or [*items]
    elif isinstance(data, list):
        records = [(None, one) for one in data]
    else:
        records = []
    for number, (name, record) in enumerate(records, 1):
        found = _record(number, name, record, about)
        if found is not None:
            yield found


def _record(number: int, name: str | None, record: Any, about: ListFile) -> _Said | None:
    """One entry; None for what speaks of no file, with a trouble where it seems to."""
    if isinstance(record, str):
        digests = _digest("", record)
        return None if name is None else _said(number, name, -1, digests, about)
    if not isinstance(record, dict):
        return None
    given = name if name is not None else _first(record, _NAMES)
    size, digests = _first(record, _SIZES), list(_digests(record))
    if not isinstance(given, str) or (size is None and not digests):
        return None
    if size is None:
        size = -1
    elif not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _SIZE_LIMIT:
        about.troubles.append(Trouble(number, "has a size that is no number of bytes"))
        size = -1
    return _said(number, given, size, digests, about)


def _first(record: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((record[key] for key in keys if key in record), None)


def _digests(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        if isinstance(value, str):
            if algorithm_named(key):
                yield from _digest(key, value)
            elif key.lower() in _PLAIN:
                yield from _digest("", value)
        elif isinstance(value, dict) and key.lower() in {"hashes", "digests", "checksums"}:
            for inner, text in value.items():
                if isinstance(text, str) and algorithm_named(inner):
                    yield from _digest(inner, text)


def _digest(word: str, value: str) -> list[tuple[str, str]]:
    """The algorithm and the digest in hex, from ``HEX`` or ``ALGORITHM:HEX``."""
    if prefixed := _PREFIXED.fullmatch(value.strip()):
        word, value = prefixed.groups()
    value = value.strip()
    if not _HEX.fullmatch(value):
        return []
    known = algorithm_named(word) if word else BY_LENGTH.get(len(value))
    return [(known, value.lower())] if known and DIGITS[known] == len(value) else []


def _said(
    number: int, name: str, size: int, digests: Sequence[tuple[str, str]], about: ListFile
) -> _Said | None:
    if size < 0 and not digests:
        return None
    try:
        spelled = name.encode("utf-8")
    except UnicodeEncodeError:
        about.troubles.append(Trouble(number, "has a name that is no text"))
        return None
    if not spelled or b"\0" in spelled:
        about.troubles.append(Trouble(number, "has a name that no file can have"))
        return None
    return _Said(number, spelled, size, tuple(digests))


def _of_lines(text: bytes, about: ListFile) -> list[_Said]:
    """Where no line at all says anything, it is no such manifest, and no line is at fault."""
    said: list[_Said] = []
    unused: list[Trouble] = []
    if text.count(b"\n") > _LINES:
        about.unread = f"it has more than {_LINES:,} lines"
        return said
    for number, raw in enumerate(text.split(b"\n"), 1):
        if len(unused) >= TROUBLES:
            about.stopped = too_many(number) if said else ""
            break
        line = raw.removesuffix(b"\r")
        if not line.strip() or line.startswith(b"#"):
            continue
        found = _columns(number, line)
        if found is None:
            unused.append(Trouble(number, "names no file with a size or a digest"))
        else:
            said.append(found)
    about.troubles += unused if said else []
    return said


def _columns(number: int, line: bytes) -> _Said | None:
    """A checksum line, or a name with a size or a digest in any order."""
    plain = parse(line, None)
    if plain.lines and plain.lines[0].name and not _COLUMNS.search(line):
        one = plain.lines[0]
        before, _, after = one.name.partition(b" ")
        if before.isdigit() and after:
            return _Said(number, after.strip(), int(before[:18]), ((one.algorithm, one.value),))
        return _Said(number, one.name, -1, ((one.algorithm, one.value),))
    split = _COLUMNS.split(line) if _COLUMNS.search(line) else line.split()
    words = [word.strip().strip(b'"') for word in split]
    digests = [found for word in words for found in _digest("", word.decode("latin-1"))]
    sizes = [int(word[:18]) for word in words if word.isdigit()]
    names = [
        word for word in words if not word.isdigit() and not _digest("", word.decode("latin-1"))
    ]
    if len(names) != 1 or not names[0] or b"\0" in names[0] or not (sizes or digests):
        return None
    return _Said(number, names[0], sizes[0] if len(sizes) == 1 else -1, tuple(digests))
