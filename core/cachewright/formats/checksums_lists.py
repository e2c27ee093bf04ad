"""Lists of checksums as ``sha256sum`` and its kin write them: text in, claims and troubles out.

Whatever a line holds, the others are read all the same; nothing here touches a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from cachewright.text import brief, display

BY_LENGTH: Final[Mapping[int, str]] = {
    32: "md5",
    40: "sha1",
    56: "sha224",
    64: "sha256",
    96: "sha384",
    128: "sha512",
}
"""What a digest of so many hexadecimal digits is taken for, where nothing else tells."""

DIGITS: Final[Mapping[str, int]] = {
    **{name: digits for digits, name in BY_LENGTH.items()},
    "sha3_224": 56,
    "sha3_256": 64,
    "sha3_384": 96,
    "sha3_512": 128,
    "blake2b": 128,
    "blake2s": 64,
}
"""Digits of each algorithm that can be computed, by hashlib's names."""

WEAK: Final = frozenset({"md5", "sha1"})
"""Algorithms for which two files with one digest can be made (reliability.md T16)."""

_SPELLED: Final[Mapping[str, str]] = {
    **{name.replace("_", "-"): name for name in DIGITS},
    **{f"sha-{bits}": f"sha{bits}" for bits in (1, 224, 256, 384, 512)},
    **{f"sha2-{bits}": f"sha{bits}" for bits in (224, 256, 384, 512)},
    "blake2b-512": "blake2b",
    "blake2s-256": "blake2s",
    "b2": "blake2b",
}

_GNU: Final = re.compile(rb"(\\?)([0-9A-Fa-f]{16,}+)(?: [ *]|[ \t]+)(.+)", re.DOTALL)
_TAGGED: Final = re.compile(
    rb"(\\?)([A-Za-z][A-Za-z0-9/_-]*) ?\((.+)\) ?= ([0-9A-Za-z+/=]+)", re.DOTALL
)
_BARE: Final = re.compile(rb"[0-9A-Fa-f]{16,}")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")
_ESCAPE: Final = re.compile(rb"\\(.?)", re.DOTALL)
_ESCAPED: Final = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_SIGNED: Final = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE: Final = b"-----BEGIN PGP SIGNATURE-----"
_TOLD_OF_A_LINE: Final = 40
TROUBLES: Final = 10_000
"""Lines that cannot be used, after which a list is not read further."""


@dataclass(frozen=True, slots=True)
class Line:
    """One claim: the file called ``name`` has this digest.  ``algorithm`` is hashlib's name,
    ``value`` lower-case hex; ``name`` is as written, unescaped, empty for a bare digest."""

    number: int
    algorithm: str
    value: str
    name: bytes


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be used, and why: the end of the sentence "line 3 ..."."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Written:
    """A name as it stands in a line."""

    name: bytes
    escaped: bool


@dataclass(slots=True)
class Parsed:
    """What a list says.  ``general`` are troubles of the whole, in plain sentences; ``ends``:
    its last line ends with a line break, as a list does that was not cut.  ``stopped`` says where
    reading ended, if that was not at the end."""

    lines: list[Line] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    general: list[str] = field(default_factory=list)
    ends: bool = True
    stopped: str = ""


def algorithm_named(spelled: str) -> str | None:
    """The name by hashlib of an algorithm as tools spell it (``SHA2-256``, ``BLAKE2b`` ...); None
    where it is not one that can be computed here."""
    return _SPELLED.get(spelled.lower().replace("_", "-"))


def parse(content: bytes, algorithm: str | None) -> Parsed:
    """Read a list; ``algorithm`` is what its name says that it holds, if it says so.

    Understood are the lines of GNU (``HEX  NAME``, ``HEX *NAME``, escaped ones that begin with
    a backslash), of BSD and of OpenSSL (``SHA256 (NAME) = HEX``), and bare digests; comments,
    blank lines, the armour of a signature and CR LF are no trouble.
    """
    parsed = Parsed()
    content = _as_bytes(content, parsed)
    lines: Iterable[tuple[int, bytes]]
    if _zero_ended(content):
        lines = enumerate(content[:-1].split(b"\0"), 1)
    else:
        parsed.ends = not content or content.endswith(b"\n")
        lines = _lines_of(content.removesuffix(b"\n").split(b"\n"))
    for number, text in lines:
        if len(parsed.troubles) >= TROUBLES:
            parsed.stopped = too_many(number)
            break
        _read(number, text, algorithm, parsed)
    return parsed


def too_many(number: int) -> str:
    """What is said where a list is not read further."""
    return f"Nothing from line {number:,} on was read: {TROUBLES:,} lines could not be used."


def _zero_ended(content: bytes) -> bool:
    """Whether its lines end with NUL, as ``sha256sum --zero`` writes them: then a line break is
    part of a name."""
    if not content.endswith(b"\0"):
        return False
    pieces = [one for one in content[:-1].split(b"\0") if not _looks_right(one)]
    return not pieces and sum(map(_looks_right, content.split(b"\n"))) <= content.count(b"\0")


def _looks_right(text: bytes) -> bool:
    return bool(_GNU.fullmatch(text) or _TAGGED.fullmatch(text))


def _as_bytes(content: bytes, parsed: Parsed) -> bytes:
    if content.startswith(_UTF16_MARKS):
        parsed.general.append("It is in UTF-16, which the checksum tools cannot read.")
        return content.decode("utf-16", "replace").encode("utf-8", "replace")
    if content.startswith(_UTF8_MARK):
        parsed.general.append(
            "It begins with a byte order mark, so the checksum tools pass over its first line."
        )
        return content.removeprefix(_UTF8_MARK)
    return content


def _lines_of(lines: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that may hold a claim, numbered from 1; without the armour of a signature."""
    signed = heading = False
    for number, raw in enumerate(lines, 1):
        text = raw.removesuffix(b"\r")
        if text == _SIGNED and not signed:
            signed = heading = True
        elif text == _SIGNATURE and signed:
            return
        elif heading:
            heading = bool(text)
        elif text.strip() and not text.startswith((b"#", b";")):
            yield number, text.removeprefix(b"- ") if signed else text


def _read(number: int, text: bytes, algorithm: str | None, parsed: Parsed) -> None:
    if b"\0" in text:
        parsed.troubles.append(Trouble(number, "holds a NUL byte, which no file name can"))
        return
    if tagged := _TAGGED.fullmatch(text.strip()):
        escaped, word, name, value = tagged.groups()
        known = algorithm_named(word.decode("ascii"))
        if known is None:
            reason = f"uses {display(word)}, which cannot be computed here"
            parsed.troubles.append(Trouble(number, reason))
            return
        _claim(parsed, number, known, value, _Written(name, bool(escaped)))
    elif plain := _GNU.fullmatch(text):
        escaped, value, name = plain.groups()
        _claim(parsed, number, algorithm, value, _Written(name, bool(escaped)))
    elif bare := _BARE.fullmatch(text.strip()):
        _claim(parsed, number, algorithm, bare.group(), _Written(b"", escaped=False))
    else:
        said = brief(text, _TOLD_OF_A_LINE)
        parsed.troubles.append(Trouble(number, f"is no checksum line ({said})"))


def _claim(
    parsed: Parsed, number: int, algorithm: str | None, value: bytes, written: _Written
) -> None:
    known = algorithm or BY_LENGTH.get(len(value))
    if known is None:
        reason = f"has a digest of {len(value)} digits, which no known algorithm gives"
    elif not _HEX.fullmatch(value) or len(value) != DIGITS[known]:
        reason = f"has a digest that is none of {spelled(known)}"
    else:
        plain = _unescaped(written.name) if written.escaped else written.name
        if plain is not None:
            parsed.lines.append(Line(number, known, value.decode("ascii").lower(), plain))
            return
        reason = "has an escaped name that cannot be read"
    parsed.troubles.append(Trouble(number, reason))


def spelled(algorithm: str) -> str:
    """An algorithm as a person writes it: ``SHA-256``, ``MD5``."""
    if algorithm.startswith("sha3_"):
        return algorithm.upper().replace("_", "-")
    return algorithm.upper().replace("SHA", "SHA-").replace("BLAKE2B", "BLAKE2b")


def _unescaped(name: bytes) -> bytes | None:
    bad = False

    def plain(found: re.Match[bytes]) -> bytes:
        nonlocal bad
        known = _ESCAPED.get(found[1])
        bad = bad or known is None
        return known or b""

    text = _ESCAPE.sub(plain, name)
    return None if bad else text
