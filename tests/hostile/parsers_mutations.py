"""Turns files that tools really write into files that somebody else may have written."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

TOKENS: Final = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1", b"9" * 5000, b"[" * 3000,
    b"0." + b"9" * 5000, b'{"a":' * 3000, b"null",
    b'"\\ud800"', b'"\\udc00\\ud800"', b"\xed\xa0\x80", b"\xff", b"\0", b"\xef\xbb\xbf",
    b"\xff\xfe",
    "\u202e\u2028\u0085".encode(), b"\x1b[2J", b"\r", b"\n ", b"\v", b"\xc3",
    b"[", b"{", b'{"', b'"', b"\\", b"(", b"}", b"]", b",", b":", b"=", b"{}", b"[]", b'""',
    b"${", b"%{", b"$${", b"<<E\n", b"\nE\n", b"/*", b"*/", b"//", b"#", b"= !", b"a = !\n",
    b"?", b"...",
    b"$a", b"${DEFAULT.a}", b"[a]\n", b"a = $a$a\n", b"; ", b"../", b"/etc/passwd",
    b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x00", b"\xd7\xff" + b"\xff" * 8, b"\xc7\x0c\xff" + b"\xff" * 12,
    b"\xcf" + b"\xff" * 8,
    b"\xcb\x7f\xf8" + b"\0" * 6, b"\x90", b"\x80", b"\xc1", b"\xff" * 8,
)  # fmt: skip
NESTS: Final = (
    (b"[", b"]"), (b'{"a":', b"}"), (b"[[],", b"]"), (b"{", b"}"), (b"a {\n", b"}\n"),
    (b"a = [", b"]\n"),
    (b"a = {", b"}\n"), (b'"${', b'}"'), (b"(", b")"), (b"f(", b")"), (b"!", b""),
    (b"a = !\n", b""),
    (b"\x91", b""), (b"\x81\xa1a", b""), (b"\x92\xc0", b""), (b"<<E\n", b"\nE\n"), (b"/*", b"*/"),
)  # fmt: skip
SMALL: Final = 16 << 10
"""Bytes that most of them have at most; the others fill what their parser accepts."""
_LARGE: Final = 0.01

Change = Callable[["Mutator", bytes], bytes]


class Mutator:
    """The same inputs for the same number."""

    def __init__(self, number: int, seeds: Sequence[bytes], largest: int) -> None:
        self.random = random.Random(number)  # noqa: S311 - to be had again, not to be secret
        self.seeds = seeds
        self._largest = largest

    def next(self) -> bytes:
        content = self.random.choice(self.seeds)
        for _round in range(self.random.choice((1, 1, 2, 3, 5))):
            content = self.random.choice(_CHANGES)(self, content)
        if self.random.random() < _LARGE:
            content = _filled(self, content, self._largest)
        return content[: self._largest]

    def slice(self, content: bytes) -> tuple[int, int]:
        start = self.random.randrange(len(content) + 1)
        length = int(self.random.paretovariate(0.7))
        return start, min(len(content), start + length)


def _flipped(own: Mutator, content: bytes) -> bytes:
    changed = bytearray(content or b"\0")
    for _bit in range(own.random.choice((1, 1, 2, 8))):
        changed[own.random.randrange(len(changed))] ^= 1 << own.random.randrange(8)
    return bytes(changed)


def _overwritten(own: Mutator, content: bytes) -> bytes:
    start, end = own.slice(content)
    return content[:start] + own.random.randbytes(end - start) + content[end:]


def _cut(own: Mutator, content: bytes) -> bytes:
    return content[: own.random.randrange(len(content) + 1)]


def _without(own: Mutator, content: bytes) -> bytes:
    start, end = own.slice(content)
    return content[:start] + content[end:]


def _repeated(own: Mutator, content: bytes) -> bytes:
    start, end = own.slice(content)
    times = own.random.choice((2, 3, 40, 1000))
    return (content[:start] + content[start:end] * times + content[end:])[:SMALL]


def _spliced(own: Mutator, content: bytes) -> bytes:
    other = own.random.choice(own.seeds)
    start, end = own.slice(content)
    return content[:start] + other[slice(*own.slice(other))] + content[end:]


def _doubled(own: Mutator, content: bytes) -> bytes:
    """A part of it once more: a name twice, a block twice."""
    lines = content.split(own.random.choice((b"\n", b",")))
    at = own.random.randrange(len(lines))
    return content.replace(lines[at], lines[at] + b"," + lines[at] + b"\n" + lines[at], 1)


def _with_token(own: Mutator, content: bytes) -> bytes:
    start, end = own.slice(content)
    end = own.random.choice((start, end))
    return content[:start] + own.random.choice(TOKENS) + content[end:]


def _with_token_for_value(own: Mutator, content: bytes) -> bytes:
    start = content.find(
        own.random.choice((b":", b"=", b'"')), own.random.randrange(1 + len(content))
    )
    end = content.find(own.random.choice((b",", b"\n", b"}")), start)
    return content[: start + 1] + own.random.choice(TOKENS) + content[end:]


def _nested(own: Mutator, content: bytes) -> bytes:
    opening, closing = own.random.choice(NESTS)
    times = own.random.choice((2, 65, 300, 1100, 5000))
    start, end = own.slice(content)
    times = min(times, 4 * SMALL // len(opening + closing))
    return content[:start] + opening * times + content[start:end] + closing * times + content[end:]


def _filled(own: Mutator, content: bytes, size: int) -> bytes:
    """Some part of it or some token as often as the parser takes it."""
    opening, closing = own.random.choice(NESTS)
    start, end = own.slice(content)
    part = own.random.choice(
        (content, content[start:end], own.random.choice(TOKENS), opening + closing, opening)
    )
    room = max(0, size - len(content))
    return content[:start] + (part or b" ") * (room // len(part or b" ")) + content[start:]


_CHANGES: Final[tuple[Change, ...]] = (
    _flipped, _flipped, _overwritten, _cut, _without, _repeated, _spliced, _doubled, _with_token,
    _with_token, _with_token_for_value, _nested,
)  # fmt: skip
