"""JSON that anybody may have written: the one value in it, or one plain reason."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachewright.strict_json import DEEPEST, Fault, JsonRefused, read

LIMIT = 16 << 20


def refused(content: bytes, limit: int = LIMIT) -> JsonRefused:
    with pytest.raises(JsonRefused) as caught:
        read(content, limit)
    return caught.value


@pytest.mark.parametrize(
    ("content", "fault", "reason"),
    [
        (b"", Fault.NOT_JSON, "is not JSON"),
        (b"{", Fault.NOT_JSON, "is not JSON"),
        (b"{} {}", Fault.NOT_JSON, "is not JSON"),
        (b"\xef\xbb\xbf{}", Fault.NOT_JSON, "is not JSON"),
        (b"\xff\xfe{\0}\0", Fault.NOT_TEXT, "is not UTF-8 text"),
        (b'"\xed\xa0\x80"', Fault.NOT_TEXT, "is not UTF-8 text"),
        (b'["\\ud800"]', Fault.NOT_TEXT, "half a character"),
        (b'{"\\uDCff": 1}', Fault.NOT_TEXT, "half a character"),
        (b'{"ID": 1, "ID": 1}', Fault.TWICE, "has two values for ID"),
        (b'[{"a": {"b\\n": 1, "c": 2, "b\\n": 3}}]', Fault.TWICE, "two values for b\\n"),
        (b'{"x": 1, "\\u0078": 1}', Fault.TWICE, "two values for x"),
        (b"[NaN]", Fault.NUMBER, "has NaN, which is not JSON"),
        (b"-Infinity", Fault.NUMBER, "has -Infinity"),
        (b"1e999", Fault.NUMBER, "a number that is too large"),
        (b"9" * 5000, Fault.NUMBER, "too many digits"),
        (b"0." + b"9" * 5000, Fault.NUMBER, "too many digits"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), Fault.DEEP, "nested too deeply"),
        (b'{"":' * 100_000, Fault.DEEP, "nested too deeply"),
        (b"[[],[" * 100_000, Fault.DEEP, "nested too deeply"),
        (b"[" + b"[]," * (1 << 20), Fault.LARGE, "more values than are read"),
        (b"[" + b"0," * (3 << 20), Fault.LARGE, "more values than are read"),
    ],
)
def test_what_cannot_be_relied_on_is_refused(content: bytes, fault: Fault, reason: str) -> None:
    told = refused(content)
    assert told.fault is fault
    assert reason in str(told)


def test_more_bytes_than_are_read_are_not_looked_at() -> None:
    assert refused(b"[1, 2]", 5).fault is Fault.LARGE
    assert read(b"[1, 2]", 6) == [1, 2]


def test_brackets_in_strings_are_no_levels() -> None:
    inside = '[{"' * 200
    assert read(json.dumps([inside, "\\", '"']).encode(), LIMIT) == [inside, "\\", '"']
    deep = b"[" * DEEPEST + b'"[[[["' + b"]" * DEEPEST
    assert read(deep, LIMIT)


def test_a_name_with_two_values_is_short_and_safe_to_show() -> None:
    told = refused(json.dumps("\u202e" * 100_000).join(["{", ":1,", ":2}"]).encode())
    assert len(told.name) <= 40
    assert told.name.isprintable()
    assert str(told).endswith(told.name)


def test_the_line_of_what_is_not_json_is_told() -> None:
    assert refused(b"{\n 'a': 1}").line == 2
    assert refused(b'{"a": 1, "a": 1}').line == 0


def test_half_a_character_is_read_where_that_is_wanted() -> None:
    assert read(b'"\\ud800"', LIMIT, halves=True) == "\ud800"
    assert read(b'"\\ud83d\\ude00"', LIMIT) == "\U0001f600"


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b",".join([b"{}"] * 300_000) + b"]",
        b"[" + b",".join([b'{"a":1.5}'] * 250_000) + b"]",
        b"[" + b",".join(['"\u20ac"'.encode()] * 1_000_000) + b"]",
        b"{" + b",".join(b'"%x":1' % one for one in range(1_000_000)) + b"}",
    ],
)
def test_what_is_read_takes_no_more_memory_than_is_allowed(content: bytes) -> None:
    tracemalloc.start()
    try:
        read(content, LIMIT)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 256 << 20


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_VALUES)
def test_what_json_can_say_is_read_as_it_is(value: Any) -> None:
    assert read(json.dumps(value).encode(), LIMIT) == value


@given(st.binary(max_size=200) | st.text('[]{}",:\\ud80019eE-+.nfNI', max_size=60).map(str.encode))
def test_nothing_else_is_raised(content: bytes) -> None:
    with contextlib.suppress(JsonRefused):
        json.dumps(read(content, LIMIT), allow_nan=False)
