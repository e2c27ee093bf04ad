"""Reads uv's pointers: which archive a wheel was unpacked to, and the digest of the download.

A pointer that came over HTTP is its content, followed by the rules of how long it holds
(glance-clcache-uv.md 3.3).  Two envelopes are in use; the newer one guards the rules by a CRC,
and neither guards the content.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgpack

from cachewright.formats.uv_layout import ARCHIVE_ID

LIMIT: Final = 1 << 20
"""Bytes of a pointer, of which they have some hundred, or of a wheel's metadata.  A value may take
its seventyfold in memory."""
_LENGTH: Final = struct.Struct("<Q")
_CRC: Final = struct.Struct("<I")
_TAIL: Final = _LENGTH.size + _CRC.size
_ID: Final = re.compile(ARCHIVE_ID.decode())
_FIELDS: Final = ("id", "hashes", "filename", "version", "size")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,128}")
_ARRAY_AT_MOST: Final = 4096


class PointerDamaged(ValueError):
    """The reason why it cannot be used, as a part of a sentence."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """``archive`` is the archive's path below the root.  ``hashes`` are those of the wheel as
    it was downloaded, hex by lower-case algorithm; ``size`` its size, where recorded."""

    archive: bytes
    hashes: Mapping[str, str]
    filename: str
    size: int | None


def guarded(content: bytes) -> bool:
    """Whether it is of the newer envelope and its CRC fits."""
    if len(content) < _TAIL:
        return False
    (length,) = _LENGTH.unpack(content[-8:])
    return length <= len(content) - _TAIL and guarded_end(content[length:])


def guarded_end(end: bytes) -> bool:
    """The same of what follows the content: the rules, their CRC and the content's length."""
    (crc,) = _CRC.unpack(end[-_TAIL:-8])
    return zlib.crc32(end[:-_TAIL] + end[-8:]) == int(crc)


def payload(content: bytes) -> bytes:
    """What lies in front of the rules, by whichever envelope fits."""
    if len(content) < _LENGTH.size:
        raise PointerDamaged("it is cut short" if content else "it is empty")
    (length,) = _LENGTH.unpack(content[-8:])
    if guarded(content):
        return content[:length]
    if length > len(content) - _LENGTH.size:
        raise PointerDamaged("it is cut short or its end was changed")
    return content[: len(content) - _LENGTH.size - length]


def unpack(content: bytes) -> Any:
    """One MessagePack value and nothing after it; no map may have one key twice."""
    try:
        return msgpack.unpackb(
            content,
            strict_map_key=False,
            object_pairs_hook=_once_each,
            max_array_len=_ARRAY_AT_MOST,
            max_map_len=_ARRAY_AT_MOST,
        )
    except (ValueError, TypeError, RecursionError, MemoryError, msgpack.UnpackException):
        raise PointerDamaged("its content is not what uv writes") from None


def _once_each(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError("a key is there twice")
        found[key] = value
    return found


def of_http(content: bytes) -> Pointer:
    """A wheel's ``.http``."""
    return _pointer(unpack(payload(content)))


def of_rev(content: bytes) -> Pointer:
    """A local wheel's ``.rev``: the wheel file's time, then the same."""
    match unpack(content):
        case [_time, archive]:
            return _pointer(archive)
        case {"archive": archive}:
            return _pointer(archive)
    raise PointerDamaged("its content is not what uv writes")


def check_revision(content: bytes, *, http: bool) -> None:
    """``PointerDamaged`` unless it names the directory that a source was unpacked to."""
    value = unpack(payload(content) if http else content)
    if not http:
        match value:
            case [_time, inner]:
                value = inner
            case {"revision": inner}:
                value = inner
    match value:
        case [str(name), *_rest] if _ID.fullmatch(name):
            return
        case {"id": str(name)} if _ID.fullmatch(name):
            return
    raise PointerDamaged("its content is not what uv writes")


def _pointer(value: Any) -> Pointer:
    if isinstance(value, list):
        value = dict(zip(_FIELDS, value, strict=False))
    if not isinstance(value, dict):
        raise PointerDamaged("its content is not what uv writes")
    name = value.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise PointerDamaged("it names no archive")
    number, filename, size = value.get("version"), value.get("filename"), value.get("size")
    bucket = number if isinstance(number, int) and 0 <= number <= 9999 else 0  # noqa: PLR2004 - digits of a bucket
    return Pointer(
        archive=f"archive-v{int(bucket)}/{name}".encode(),
        hashes=dict(_hashes(value.get("hashes"))),
        filename=filename if isinstance(filename, str) else "",
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
    )


def _hashes(value: Any) -> Iterable[tuple[str, str]]:
    """Pairs, one-key maps, or maps of ``algorithm`` and ``digest``: all were in use."""
    for one in value if isinstance(value, list) else ():
        match one:
            case {"algorithm": str(algorithm), "digest": str(digest)}:
                pass
            case [str(algorithm), str(digest)]:
                pass
            case dict() if len(one) == 1:
                ((algorithm, digest),) = one.items()
            case _:
                continue
        if isinstance(algorithm, str) and isinstance(digest, str) and _HEX.fullmatch(digest):
            yield algorithm.lower(), digest.lower()
