"""Safe display of hostile text: file names, lock owners, command lines.

File names are bytes that anyone may choose.  What is shown in a terminal, a label or a report
must not carry control characters, direction overrides or undecodable bytes (reliability.md C4,
D T7, T8, T11).
"""

from __future__ import annotations

import base64
import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

_UNDECODED = range(0xDC80, 0xDD00)
"""How ``surrogateescape`` spells bytes that are not UTF-8."""

_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _visible(char: str) -> str:
    code = ord(char)
    if code in _UNDECODED:
        return f"\\x{code & 0xFF:02x}"
    if unicodedata.category(char) not in _ESCAPED_CATEGORIES:
        return char
    return char.encode("unicode_escape").decode("ascii")


def display(value: bytes | str) -> str:
    """Text that is safe to show anywhere as *plain* text; two different names stay different
    as far as escapes allow, and printable Unicode stays readable."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(char) for char in text)


def is_text(value: bytes) -> bool:
    """Whether the bytes are valid UTF-8, so that JSON can carry them as they are."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_ADDRESS: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://")


def is_address(place: bytes) -> bool:
    """Whether it is ``s3://bucket/prefix`` or the like, rather than a path."""
    return _ADDRESS.match(place) is not None


_DATABASE: Final = re.compile(rb"(sqlite|postgresql|mysql|mariadb)(\+[A-Za-z0-9_]+)?://")


def is_database(place: bytes) -> bool:
    """Whether it is the address of a database, as SQLAlchemy spells it."""
    return _DATABASE.match(place) is not None


_PASSWORD: Final = re.compile(rb"(://[^/?#@:]*):.*@", re.DOTALL)
_TELLING: Final = re.compile(rb"pass|pwd|secret|token|key|credential", re.IGNORECASE)


def public_address(address: bytes) -> bytes:
    """An address without the password in it, and without parameters that are called like one:
    what may be shown, journaled and written to a plan."""
    head, mark, query = _PASSWORD.sub(rb"\1@", address).partition(b"?")
    told = [one for one in query.split(b"&") if not _TELLING.search(one.partition(b"=")[0])]
    return head + (mark if b"".join(told) else b"") + b"&".join(told)


def elide(text: str, limit: int) -> str:
    """At most ``limit`` characters, with the middle left out where it is longer."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def brief(value: bytes | str, limit: int) -> str:
    """``elide(display(value), limit)``, however long the value is: only its ends are looked at."""
    ends = 4 * limit + 4  # bytes of that many characters, and of one that is cut apart
    if len(value) <= 2 * ends:
        return elide(display(value), limit)
    head, tail = (limit - 1) // 2, limit - 1 - (limit - 1) // 2
    first, last = display(value[:ends])[:head], display(value[-ends:])
    return f"{first}…{last[len(last) - tail :]}"


def timestamp(at_ns: int) -> str:
    """RFC 3339 in UTC with milliseconds, as JSON carries times."""
    moment = datetime.fromtimestamp(at_ns / 1_000_000_000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_name(name: bytes) -> str | dict[str, str]:
    """A file name as a JSON value: text where it is UTF-8, else ``{"base64": ...}``."""
    if is_text(name):
        return name.decode("utf-8")
    return {"base64": base64.b64encode(name).decode("ascii")}


def decode_name(value: object) -> bytes:
    """What ``encode_name`` made; ``ValueError`` for anything else."""
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, dict) and set(value) == {"base64"} and isinstance(value["base64"], str):
        return base64.b64decode(value["base64"], validate=True)
    raise ValueError("a name is text or an object with the one key base64")
