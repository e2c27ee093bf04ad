"""clcache's records, sound, damaged and hostile."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachewright.formats.clcache_records import (
    FAILS,
    PASSED_OVER,
    Damaged,
    Reference,
    Statistics,
    configuration,
    manifest,
    recounted,
    statistics,
)

STEM, INCLUDES = "ab" * 16, "cd" * 16
KEY = hashlib.md5((STEM + INCLUDES).encode(), usedforsecurity=False).hexdigest()
LINE: dict[str, Any] = {
    "includeFiles": ["C:\\Program Files\\vc\\stdio.h", "?\\src\\shapes.h"],
    "includesContentHash": INCLUDES,
    "objectHash": KEY,
}


def as_manifest(*lines: Any) -> bytes:
    return json.dumps({"entries": list(lines)}).encode()


def test_a_manifest_names_objects_by_keys_that_follow_from_it() -> None:
    (line,) = manifest(as_manifest(LINE))
    assert line == Reference(INCLUDES, KEY, "shapes.h")
    assert line.follows_from(STEM)
    assert not line.follows_from("ac" * 16)
    assert manifest(as_manifest()) == ()


@pytest.mark.parametrize(
    ("includes", "header"),
    [
        ([], ""),
        (["/usr/a.h"], "a.h"),
        (["c:/program files (x86)/b.h"], "b.h"),
        (["?a.h"], "a.h"),
        (["x" * 500], "x" * 80),
    ],
)
def test_a_header_tells_a_person_something(includes: list[str], header: str) -> None:
    (line,) = manifest(as_manifest({**LINE, "includeFiles": includes}))
    assert line.header == header


@pytest.mark.parametrize(
    ("content", "reason", "effect"),
    [
        (b"", "empty", PASSED_OVER),
        (b"{", "cut off", PASSED_OVER),
        (as_manifest(LINE)[:-3], "cut off", PASSED_OVER),
        (b"\xff\xfe", "not text", PASSED_OVER),
        (b"\0" * 100, "cut off", PASSED_OVER),
        (b"9" * 5000, "it has a number of too many digits", FAILS),
        (b"[]", "no JSON object", FAILS),
        (b"null", "no JSON object", FAILS),
        (b"{}", "no list of entries", FAILS),
        (b'{"entries": {}}', "no list of entries", FAILS),
        (b'{"entries": [], "entries": []}', "one thing twice", "stands last"),
        (b"[" * 100_000, "too deeply", FAILS),
        (b'{"a":' * 100_000, "too deeply", FAILS),
        (as_manifest(7), "no object", FAILS),
        (as_manifest({**LINE, "includeFiles": "a.h"}), "list of include files", FAILS),
        (as_manifest({**LINE, "includeFiles": [7]}), "list of include files", FAILS),
        (as_manifest({**LINE, "includesContentHash": 7}), "lacks its hashes", FAILS),
        (as_manifest({**LINE, "includesContentHash": "CD" * 16}), "lacks its hashes", FAILS),
        (as_manifest({**LINE, "objectHash": None}), "lacks its hashes", FAILS),
        (as_manifest({**LINE, "objectHash": "../../../etc"}), "../../../etc, which is no", FAILS),
        (as_manifest({**LINE, "objectHash": KEY + "\n"}), "no object's key", FAILS),
        (as_manifest({**LINE, "objectHash": "\ud800" * 32}), "no object's key", FAILS),
        (as_manifest({**LINE, "objectHash": "٣" * 32}), "no object's key", FAILS),
    ],
)
def test_what_cannot_be_used_says_why(content: bytes, reason: str, effect: str) -> None:
    with pytest.raises(Damaged, match=reason) as raised:
        manifest(content)
    assert effect in raised.value.effect
    assert raised.value.reason.isprintable()


@pytest.mark.parametrize(
    ("content", "counted"),
    [
        (b"{}", Statistics(0, 0)),
        (b'{"CacheEntries": 3}', Statistics(3, 0)),
        (b'{"CacheEntries": 3, "CacheSize": -4, "Other": "x"}', Statistics(3, -4)),
    ],
)
def test_statistics_lack_nothing_but_numbers(content: bytes, counted: Statistics) -> None:
    assert statistics(content) == counted


@pytest.mark.parametrize(
    "value", ["1", 1.0, True, None, [], {}], ids=["text", "real", "truth", "null", "list", "object"]
)
def test_a_counter_that_is_no_number_breaks_builds(value: Any) -> None:
    with pytest.raises(Damaged, match="CacheHits is no whole number"):
        statistics(json.dumps({"CacheHits": value}).encode())
    with pytest.raises(Damaged, match="MaximumCacheSize is no size"):
        configuration(json.dumps({"MaximumCacheSize": value}).encode())


def test_a_configuration_says_a_size_or_nothing() -> None:
    assert configuration(b'{"MaximumCacheSize": 5}') == 5
    assert configuration(b"{}") == 1
    with pytest.raises(Damaged):
        configuration(b'{"MaximumCacheSize": 0}')


def test_counting_anew_keeps_every_other_counter() -> None:
    old = {"CacheHits": 5, "CacheEntries": 1, "CacheSize": 1, "CacheMisses": "x", "Own": "kept"}
    new = json.loads(recounted(json.dumps(old).encode(), 7, 900))
    assert (new["CacheHits"], new["CacheEntries"], new["CacheSize"]) == (5, 7, 900)
    assert (new["CacheMisses"], new["Own"], new["EvictedMisses"]) == (0, "kept", 0)
    text = recounted(b"", 0, 0).decode()
    assert text == json.dumps(json.loads(text), indent=4, sort_keys=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["entries", "includeFiles", "objectHash", "CacheSize"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_nothing_but_damage_is_ever_raised(content: bytes) -> None:
    for read in (manifest, statistics, configuration):
        try:
            read(content)
        except Damaged as damage:
            assert damage.reason  # noqa: PT017 - one of many that may, or may not, be raised


@given(json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_whatever_was_there_is_counted_anew(content: bytes) -> None:
    new = recounted(content, 3, 40)
    assert statistics(new) == Statistics(3, 40)
    assert recounted(new, 3, 40) == new


@given(st.integers(0, 300), st.integers(0, 255))
def test_a_flipped_byte_is_told_or_read(at: int, value: int) -> None:
    content = bytearray(as_manifest(LINE))
    content[at % len(content)] = value
    try:
        lines = manifest(bytes(content))
    except Damaged:
        return
    assert all(len(line.key) == 32 for line in lines)
