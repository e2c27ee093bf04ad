"""Pointers in both envelopes, and every way they can be damaged."""

from __future__ import annotations

import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.formats.uv_making import ID, archive_value, newer, older

from cachewright.formats.uv_pointers import (
    Pointer,
    PointerDamaged,
    check_revision,
    guarded,
    of_http,
    of_rev,
    payload,
    unpack,
)

SHA256 = "ab" * 32
NAME = "toy-1.0-py3-none-any.whl"
GOOD = msgpack.packb(archive_value(ID, SHA256, NAME))
EXPECTED = Pointer(f"archive-v0/{ID}".encode(), {"sha256": SHA256}, NAME, 77)


@pytest.mark.parametrize("envelope", [newer, older])
def test_both_envelopes(envelope: Any) -> None:
    content = envelope(GOOD)
    assert payload(content) == GOOD
    assert guarded(content) == (envelope is newer)
    assert of_http(content) == EXPECTED


@pytest.mark.parametrize(
    "value",
    [
        {"id": ID, "hashes": [["Sha256", SHA256]], "filename": NAME, "version": 0, "size": 77},
        [ID, [{"algorithm": "Sha256", "digest": SHA256}], NAME, 0, 77],
        [ID, [["Sha256", SHA256.upper()]], NAME, 0, 77],
    ],
)
def test_the_spellings_of_other_versions(value: Any) -> None:
    assert of_http(older(msgpack.packb(value))) == EXPECTED


def test_what_is_not_recorded_is_left_out() -> None:
    pointer = of_http(newer(msgpack.packb([ID, [{"Sha256": "no hex"}, 7, {}], 5, 3, None])))
    assert pointer == Pointer(f"archive-v3/{ID}".encode(), {}, "", None)
    assert of_http(newer(msgpack.packb([ID]))).archive == f"archive-v0/{ID}".encode()
    odd = of_http(newer(msgpack.packb([ID, "x", None, -1, True])))
    assert (odd.archive, odd.size) == (f"archive-v0/{ID}".encode(), None)


def test_local_pointers() -> None:
    value = archive_value(ID)
    assert of_rev(msgpack.packb([[1, 2], value])).archive == EXPECTED.archive
    assert of_rev(msgpack.packb({"timestamp": 1, "archive": value})).size == 77
    for odd in ([], [1], [1, 2, 3], {"archive": 1}, "text", {"other": value}):
        with pytest.raises(PointerDamaged):
            of_rev(msgpack.packb(odd))


@pytest.mark.parametrize(
    "value",
    [
        ["../../../etc/passwd", [], NAME, 0, 1],
        ["short", [], NAME, 0, 1],
        [b"bytes-as-the-name", [], NAME, 0, 1],
        [5, [], NAME, 0, 1],
        {"hashes": []},
        [],
        "text",
        None,
        3.5,
    ],
)
def test_what_names_no_archive(value: Any) -> None:
    with pytest.raises(PointerDamaged):
        of_http(newer(msgpack.packb(value)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"abc", "it is cut short"),
        (newer(GOOD)[:-1], "its end was changed|not what"),
        (newer(GOOD)[:-20], "its end was changed|not what"),
        (b"\xff" * 8, "its end was changed"),
        (newer(b"\xc1"), "not what uv writes"),
        (newer(GOOD + b"\x01"), "not what uv writes"),
        (newer(GOOD[:-1]), "not what uv writes"),
        (newer(b"\x91" * 100_000 + b"\x90"), "not what uv writes"),
        (newer(b"\xdd\xff\xff\xff\xff"), "not what uv writes"),
        (newer(b"\xdf\xff\xff\xff\xff"), "not what uv writes"),
        (newer(b"\xc6\xff\xff\xff\xffx"), "not what uv writes"),
        (newer(b"\xa2\xff\xfe"), "not what uv writes"),
        (newer(b"\xc7\x0c\xff" + b"\xff" * 12), "not what uv writes"),
    ],
)
def test_damaged_and_hostile_pointers(content: bytes, reason: str) -> None:
    with pytest.raises(PointerDamaged, match=reason):
        of_http(content)


def test_a_changed_rule_is_noticed_by_the_crc() -> None:
    content = bytearray(newer(GOOD))
    for at in range(len(GOOD), len(content)):
        content[at] ^= 1
        assert not guarded(bytes(content))
        with pytest.raises(PointerDamaged):
            of_http(bytes(content))
        content[at] ^= 1
    assert zlib.crc32(GOOD)  # the content itself has none: a change in it can go unnoticed
    changed = newer(GOOD).replace(b"ab", b"cd", 1)
    assert of_http(changed).hashes != EXPECTED.hashes


def test_revisions_of_sources() -> None:
    good = [ID, [{"Sha256": SHA256}], 5]
    check_revision(newer(msgpack.packb(good)), http=True)
    check_revision(older(msgpack.packb({"id": ID, "hashes": []})), http=True)
    check_revision(msgpack.packb([[[1, 2], None], good]), http=False)
    check_revision(msgpack.packb({"pointer": 1, "revision": {"id": ID}}), http=False)
    for bad in ([], ["../x"], {"id": 3}, "text", 1):
        with pytest.raises(PointerDamaged):
            check_revision(newer(msgpack.packb(bad)), http=True)
        with pytest.raises(PointerDamaged):
            check_revision(msgpack.packb([1, bad]), http=False)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_pointer_or_damaged(content: bytes) -> None:
    for read in (of_http, of_rev):
        try:
            pointer = read(content)
        except PointerDamaged:
            continue
        assert b"/." not in pointer.archive


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_never_names_a_place_outside(at: int, by: int) -> None:
    changed = bytearray(GOOD)
    changed[at] ^= by
    test = newer(bytes(changed))
    try:
        pointer = of_http(test)
    except PointerDamaged:
        return
    assert pointer.archive.count(b"/") == 1
    assert pointer.archive.startswith(b"archive-v")


def test_a_map_with_a_key_twice_is_damaged() -> None:
    once = msgpack.packb({"id": ID, "hashes": []})
    twice = b"\x84" + once[1:] + once[1:]
    assert unpack(once) == {"id": ID, "hashes": []}
    with pytest.raises(PointerDamaged):
        unpack(twice)
