"""Reads JSON that anybody may have written: with limits, and nothing passed over in silence.

Python's own reader takes the last of two values of one name, takes NaN, goes as deep as the stack
and as far as the memory; two readers of one such file see two different files (reliability.md T12).
"""

from __future__ import annotations

import json
import math
import re
from enum import Enum
from itertools import accumulate
from typing import Any, Final, NoReturn

from cachewright.text import brief

DEEPEST: Final = 64
"""Levels of arrays and objects; no record that is read here has ten."""
MEMORY: Final = 96 << 20
"""Bytes that the values may take."""

_DIGITS: Final = 40
"""Of an integer; reading one takes the square of them."""
_FRACTION: Final = 400
_CONTAINER: Final = 240
_MEMBER: Final = 90
"""Bytes of memory for an object or array, and for what follows a comma, at worst."""
_SHOWN: Final = 40
_BRACKETS: Final = b"[]{}"
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS: Final = bytes(one for one in range(256) if one not in _BRACKETS)
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class Fault(Enum):
    """What is wrong with it."""

    LARGE = "large"
    NOT_TEXT = "not text"
    NOT_JSON = "not JSON"
    DEEP = "deep"
    TWICE = "twice"
    NUMBER = "number"


class JsonRefused(ValueError):
    """It cannot be relied on: ``fault``, and why as a part of a sentence that begins with "it".

    ``name`` is the name that has two values, safe to show; ``line`` where it stops being JSON,
    0 where it does not.  Nothing else of the content is quoted.
    """

    def __init__(self, fault: Fault, reason: str, *, name: str = "", line: int = 0) -> None:
        super().__init__(reason)
        self.fault = fault
        self.name = name
        self.line = line


def read(
    content: bytes,
    limit: int,
    *,
    memory: int = MEMORY,
    deepest: int = DEEPEST,
    halves: bool = False,
) -> Any:
    """The one value in ``content``; ``JsonRefused`` in any other case, and nothing else.

    Refused are more than ``limit`` bytes, what is not UTF-8 or not JSON, a name that stands twice
    in an object, NaN and infinities, numbers of more digits than any record has, more levels than
    ``deepest``, what would take more than about ``memory`` bytes and, without ``halves``, text
    with half a character (a lone surrogate), which can neither be written nor compared.
    """
    if len(content) > limit:
        raise JsonRefused(Fault.LARGE, f"is larger than {limit:,} bytes")
    _measure(content, memory, deepest)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise JsonRefused(Fault.NOT_TEXT, "is not UTF-8 text") from None
    value = _value(text)
    if not halves and _HALF.search(content):
        _refuse_halves(value)
    return value


def _measure(content: bytes, memory: int, deepest: int) -> None:
    """By counting alone, before anything is built.  What stands in strings counts too, but not
    for the depth."""
    containers = content.count(b"[") + content.count(b"{")
    if containers * _CONTAINER + content.count(b",") * _MEMBER > memory:
        raise JsonRefused(Fault.LARGE, "holds more values than are read")
    if containers > deepest and _depth(content) > deepest:
        raise JsonRefused(Fault.DEEP, "is nested too deeply")


def _depth(content: bytes) -> int:
    steps = _STRINGS.sub(b"", content).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _value(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_once_each,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_fraction,
        )
    except json.JSONDecodeError as error:
        raise JsonRefused(Fault.NOT_JSON, "is not JSON", line=error.lineno) from None
    except RecursionError:  # called from deep within something else
        raise JsonRefused(Fault.DEEP, "is nested too deeply") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _member in pairs:
            if name in seen:
                raise twofold(name)
            seen.add(name)
    return found


def twofold(name: str) -> JsonRefused:
    """The error for a name that has two values."""
    shown = brief(name, _SHOWN)
    return JsonRefused(Fault.TWICE, f"has two values for {shown}", name=shown)


def _no_constant(word: str) -> NoReturn:
    raise JsonRefused(Fault.NUMBER, f"has {word}, which is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise JsonRefused(Fault.NUMBER, "has a number of too many digits")
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > _FRACTION:
        raise JsonRefused(Fault.NUMBER, "has a number of too many digits")
    number = float(digits)
    if math.isinf(number):
        raise JsonRefused(Fault.NUMBER, "has a number that is too large")
    return number


def _refuse_halves(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise JsonRefused(Fault.NOT_TEXT, "has text with half a character in it") from None
