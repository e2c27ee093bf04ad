"""Write tars that no honest writer would."""

from __future__ import annotations

BLOCK = 512
END = bytes(2 * BLOCK)
POSIX, GNU = b"ustar\x0000", b"ustar  \0"


def header(
    name: bytes,
    kind: bytes = b"0",
    size: int = 0,
    *,
    mode: int = 0o644,
    link: bytes = b"",
    magic: bytes = POSIX,
    prefix: bytes = b"",
    size_field: bytes | None = None,
) -> bytes:
    numbers = b"%07o\0%07o\0%07o\0" % (mode, 0, 0)
    sized = b"%011o\0" % size if size_field is None else size_field
    device = b"%07o\0%07o\0" % (1, 3)
    head = name[:100].ljust(100, b"\0") + numbers + sized + b"%011o\0" % 0 + b" " * 8
    tail = kind + link[:100].ljust(100, b"\0") + magic + bytes(64) + device + prefix
    block = (head + tail).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def file(name: bytes, content: bytes = b"content", **more: object) -> bytes:
    return header(name, size=len(content), **more) + padded(content)  # type: ignore[arg-type]


def extended(kind: bytes = b"x", **said: bytes) -> bytes:
    """A POSIX extended header; dots in keys are written as two underscores."""
    lines = b"".join(record(key.replace("__", ".").encode(), said[key]) for key in said)
    return ahead(kind, lines)


def ahead(kind: bytes, content: bytes) -> bytes:
    return header(b"ahead", kind, len(content)) + padded(content)


def record(key: bytes, value: bytes) -> bytes:
    line = b" " + key + b"=" + value + b"\n"
    length = len(line) + 1
    while len(b"%d" % length) + len(line) != length:
        length += 1
    return b"%d" % length + line


def link(name: bytes, target: bytes, kind: bytes = b"2") -> bytes:
    return header(name, kind, link=target)


def long_link(name: bytes, target: bytes) -> bytes:
    """A symlink whose target does not fit into a header."""
    return extended(linkpath=target) + link(name, target)


def tar_of(*members: bytes) -> bytes:
    return b"".join(members) + END
