"""Headers of a tar: plain, POSIX (``ustar``, ``pax``) and GNU ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

BLOCK_BYTES: Final = 512

_NUMBER_DIGITS: Final = 20
_CHECKSUM: Final = slice(148, 156)
_BINARY: Final = 0x80
_NEGATIVE: Final = 0x40
_DAMAGED: Final = "a header of it is damaged"


@dataclass(frozen=True, slots=True)
class Header:
    """One header as it stands: ``kind`` is its type flag, one byte."""

    name: bytes
    kind: bytes
    mode: int
    size: int


def parse(block: bytes) -> Header:
    """``ValueError`` for what is no header."""
    if _checksum(block) != _number(block[_CHECKSUM]):
        raise ValueError(_DAMAGED)
    name = block[:100].split(b"\0", 1)[0]
    if block[257:265] == b"ustar\x0000":
        prefix = block[345:500].split(b"\0", 1)[0]
        name = prefix + b"/" + name if prefix else name
    return Header(name, block[156:157], _number(block[100:108]), _number(block[124:136]))


def is_tar(block: bytes) -> bool:
    """Whether a tar begins with this block; one without members is all zeros."""
    if len(block) != BLOCK_BYTES:
        return False
    try:
        return not any(block) or bool(parse(block).name)
    except ValueError:
        return False


def _checksum(block: bytes) -> int:
    """Of all bytes, its own counted as spaces."""
    return sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")


def _number(field: bytes) -> int:
    """Octal digits, or binary where the first bit is set."""
    if field[0] & _BINARY:
        if field[0] & _NEGATIVE:
            raise ValueError(_DAMAGED)
        return int.from_bytes(bytes([field[0] & ~_BINARY]) + field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise ValueError(_DAMAGED)
    return int(digits or b"0", 8)


def records(content: bytes) -> dict[bytes, bytes]:
    """What a POSIX extended header holds: ``length key=value`` lines, each key once."""
    found: dict[bytes, bytes] = {}
    for key, value in _lines(content):
        if key in found:
            raise ValueError("an extended header says the same thing twice")
        found[key] = value
    return found


def _lines(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content):
        digits = content[at : at + _NUMBER_DIGITS].split(b" ", 1)[0]
        length = decimal(digits)
        line = content[at + len(digits) + 1 : at + length]
        at += length
        key, equals, value = line.partition(b"=")
        if at > len(content) or not line.endswith(b"\n") or not equals or not key:
            raise ValueError("an extended header of it is damaged")
        yield key, value[:-1]


def decimal(digits: bytes) -> int:
    """A number in plain decimal digits; ``ValueError`` for anything else."""
    if not digits or len(digits) > _NUMBER_DIGITS or digits.strip(b"0123456789"):
        raise ValueError("an extended header of it is damaged")
    return int(digits)
