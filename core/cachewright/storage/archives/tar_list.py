"""All members of a tar, each judged as it is met, before anything is unpacked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cachewright.storage.archives.limits import ArchiveLimits, Watch
from cachewright.storage.archives.members import NO_FILE, Member, member
from cachewright.storage.archives.packing import Stream
from cachewright.storage.archives.tar_headers import BLOCK_BYTES, Header, decimal, parse, records

Placed = tuple[Member, int]
"""A member and where its content begins in the unpacked stream."""

_FILES: Final = frozenset({b"0", b"\0"})
_DIRECTORY: Final = b"5"
_SPARSE: Final = b"S"
_LONG_NAME: Final = b"L"
_EXTENDED: Final = b"x"
_GLOBAL: Final = b"g"
_NO_SPARSE: Final = "a member is sparse, which is not read here"
_BEHIND: Final = "something follows its end"
_TWICE: Final = "a member has two names or sizes"


@dataclass(slots=True)
class _Ahead:
    """What headers in front of a member's own say of it."""

    name: bytes | None = None
    size: int | None = None
    seen: set[bytes] = field(default_factory=set)


def read_members(stream: Stream, limits: ArchiveLimits, watch: Watch) -> list[Placed]:
    """Every file and directory; ``ValueError`` for anything else.  The stream is read to its
    end: whoever cuts an archive off, or hides something behind its end, is found out."""
    found: list[Placed] = []
    ahead = _Ahead()
    named = total = 0
    while (header := _next_header(stream)) is not None:
        watch.check()
        if header.kind in {_EXTENDED, _GLOBAL, _LONG_NAME}:
            _read_ahead(stream, header, ahead, limits)
            continue
        one = _judged(header, ahead)
        ahead = _Ahead()
        if one is None:
            continue
        named += len(one.name)
        total += one.size
        if named > limits.list_bytes:
            raise ValueError("its list of members is too long")
        if len(found) >= limits.members:
            raise ValueError(f"it has more than {limits.members} members")
        limits.refuse_total(total, total)
        found.append((one, stream.at))
        stream.skip(_padded(one.size))
    if ahead.seen:
        raise ValueError("it ends with a header of nothing")
    _refuse_more(stream, limits)
    return found


def _next_header(stream: Stream) -> Header | None:
    """None at the end, which is two blocks of zeros."""
    block = stream.take(BLOCK_BYTES)
    if any(block):
        return parse(block)
    if any(stream.take(BLOCK_BYTES)):
        raise ValueError(_BEHIND)
    return None


def _refuse_more(stream: Stream, limits: ArchiveLimits) -> None:
    """Some readers go on behind the end.  Padding is let be."""
    left = limits.list_bytes
    for block in stream.rest():
        left -= len(block)
        if left < 0 or block != bytes(len(block)):
            raise ValueError(_BEHIND)


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _read_ahead(stream: Stream, header: Header, ahead: _Ahead, limits: ArchiveLimits) -> None:
    if header.size > limits.header_bytes:
        raise ValueError("a header of it is too long")
    if header.kind in ahead.seen:
        raise ValueError(_TWICE)
    ahead.seen.add(header.kind)
    content = stream.take(_padded(header.size))[: header.size]
    if header.kind == _LONG_NAME:
        _name_ahead(ahead, content.removesuffix(b"\0"))
        return
    said = records(content)
    if any(key.startswith(b"GNU.sparse") for key in said):
        raise ValueError(_NO_SPARSE)
    if b"linkpath" in said:
        raise ValueError(NO_FILE)
    if header.kind == _GLOBAL:
        if said.keys() & {b"path", b"size"}:
            raise ValueError("it gives one name or size to all that follows")
        return
    if b"path" in said:
        _name_ahead(ahead, said[b"path"])
    if b"size" in said:
        ahead.size = decimal(said[b"size"])


def _name_ahead(ahead: _Ahead, name: bytes) -> None:
    if ahead.name is not None:
        raise ValueError(_TWICE)
    ahead.name = name


def _judged(header: Header, ahead: _Ahead) -> Member | None:
    """The member; None for the directory that all lies in, as ``tar`` lists it (``./``)."""
    name = header.name if ahead.name is None else ahead.name
    size = header.size if ahead.size is None else ahead.size
    if header.size not in {0, size}:
        raise ValueError(_TWICE)
    if header.kind == _SPARSE:
        raise ValueError(_NO_SPARSE)
    # The oldest writers mark a directory by its name alone.
    directory = header.kind == _DIRECTORY or (header.kind == b"\0" and name.endswith(b"/"))
    if not directory and header.kind not in _FILES:
        raise ValueError(NO_FILE)
    if directory:
        name = name.removesuffix(b"/")
        if name == b"." and not size:
            return None
    name = name.removeprefix(b"./")
    return member(name, directory=directory, size=size, mode=header.mode & 0o7777)
