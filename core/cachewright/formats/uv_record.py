"""Reads ``RECORD``: what a wheel says of its own files (glance-clcache-uv.md 3.4).

It is a CSV table of path, digest and size.  uv makes it agree with the files when it unpacks a
wheel and never looks at the digests again.  It vouches for everything but itself, and whoever
made the wheel wrote it: nothing in it is believed before it was looked at.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cachewright.text import brief, display

LIMIT: Final = 4 << 20
"""Bytes of a RECORD; that of the largest known wheels has less than 2 MB."""
_FAULTS: Final = 1000
_COLUMNS: Final = 3
_SHOWN: Final = 80
_SIZE: Final = re.compile(r"[0-9]{1,18}")

STRONG: Final = frozenset({"sha256", "sha384", "sha512"})
WEAK: Final = frozenset({"md5", "sha1", "sha224"})
_NOT_LISTED: Final = (b"RECORD.jws", b"RECORD.p7s")


class RecordDamaged(ValueError):
    """The reason why nothing in it can be believed, as a part of a sentence."""


@dataclass(frozen=True, slots=True)
class Row:
    """One file: digest in hex by ``algorithm`` (hashlib's name), both empty where there is
    none.  ``size`` may be missing too."""

    algorithm: str
    digest: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Record:
    """All rows by name relative to the entry.  ``lists_itself``: only a whole one does.
    ``faults`` say what is wrong with rows that cannot be used; ``doubtful`` are names that such
    rows speak of, as far as they speak of one."""

    rows: Mapping[bytes, Row]
    lists_itself: bool
    faults: tuple[str, ...] = ()
    doubtful: frozenset[bytes] = frozenset()


class _FaultyRow(ValueError):
    """One row that says nothing; the others may."""


def read_record(content: bytes, place: bytes) -> Record:
    """What ``content``, found at ``place`` below the entry, says.  ``RecordDamaged`` says why
    it cannot be used.

    Paths are relative to the directory that holds the directory of ``place``; they may lead
    out of that, as scripts of an environment do, but never out of the entry.
    """
    base = os.path.dirname(os.path.dirname(place))
    rows: dict[bytes, Row] = {}
    faults: list[str] = []
    doubtful: set[bytes] = set()
    for number, line in _lines(content):
        name = b""
        try:
            name = _name(line[0], base)
            _add(rows, name, _row(line))
        except _FaultyRow as fault:
            faults.append(f"line {number}: {fault}")
            doubtful.add(name)
            if len(faults) > _FAULTS:
                raise RecordDamaged(f"more than {_FAULTS} of its lines are faulty") from None
    if not rows and not faults:
        raise RecordDamaged("it is empty")
    for name in doubtful:
        rows.pop(name, None)
    return Record(rows, place in rows, tuple(faults), frozenset(doubtful))


def _add(rows: dict[bytes, Row], name: bytes, row: Row) -> None:
    if rows.setdefault(name, row) != row:
        raise _FaultyRow(f"{_shown(display(name))} is listed twice, differently")


def may_be_unlisted(name: bytes, place: bytes) -> bool:
    """Signatures of the RECORD, which no RECORD lists."""
    folder = os.path.dirname(place)
    return name in {folder + b"/" + one for one in _NOT_LISTED}


def algorithms_in(content: bytes) -> frozenset[str]:
    """Digests that this RECORD asks for and that can be computed; reads no row."""
    return frozenset(one for one in STRONG | WEAK if f",{one}=".encode() in content)


def _lines(content: bytes) -> Iterable[tuple[int, list[str]]]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise RecordDamaged("it is no UTF-8 text") from None
    if "\0" in text:
        raise RecordDamaged("it holds NUL characters")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for line in reader:
            if not line:
                continue
            yield reader.line_num, line + [""] * (_COLUMNS - len(line))
    except csv.Error as error:
        raise RecordDamaged(f"line {reader.line_num} is no CSV ({error})") from None


def _name(path: str, base: bytes) -> bytes:
    if not path:
        raise _FaultyRow("no file is named")
    name = os.path.normpath(os.path.join(base, path.encode("utf-8")))
    elsewhere = path.startswith(("/", "\\")) or path[1:3] in {":\\", ":/"}
    if elsewhere or name in {b".", b".."} or name.startswith(b"../"):
        raise _FaultyRow(f"{_shown(path)} lies outside the archive")
    return name


def _row(line: list[str]) -> Row:
    path, spelled, length, *more = line
    if more:
        raise _FaultyRow(f"{_shown(path)} has {len(line)} columns instead of 3")
    if length and not _SIZE.fullmatch(length):
        raise _FaultyRow(f"the size of {_shown(path)} is no number: {_shown(length)}")
    size = int(length) if length else None
    if not spelled:
        return Row("", "", size)
    algorithm, _separator, value = spelled.partition("=")
    if value and algorithm not in STRONG | WEAK:
        raise _FaultyRow(f"the digest of {_shown(path)} is of an unknown kind: {_shown(algorithm)}")
    digest = _hex(algorithm, value) if value else ""
    if not digest:
        raise _FaultyRow(f"the digest of {_shown(path)} is none: {_shown(spelled)}")
    return Row(algorithm, digest, size)


def _hex(algorithm: str, value: str) -> str:
    """Empty where it is no digest of that kind."""
    length = hashlib.new(algorithm, usedforsecurity=False).digest_size
    stem = value.rstrip("=")
    try:
        raw = base64.b64decode(stem + "=" * (-len(stem) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    exact = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == stem
    return raw.hex() if exact and len(raw) == length else ""


def _shown(text: str) -> str:
    return brief(text, _SHOWN)
