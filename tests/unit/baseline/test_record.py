"""The document that a baseline is kept as, whole, damaged and hostile."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachewright.baseline import record
from cachewright.baseline.record import Baseline, FileRecord, LeftOut, document, parse
from cachewright.report import schema

SHA = "ab" * 32
TAKEN = Baseline(
    root=b"/caches/\xff",
    inode=7,
    format="clcache",
    made_ns=1_795_000_000_000_000_000,
    entries={"one": {b"object": FileRecord(3, SHA), b"\xfe": FileRecord(0, SHA)}, "two": {}},
    left_out=(LeftOut("three", "It is busy."),),
)


def written(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


def sealed(change: Any) -> bytes:
    """What somebody wrote who knows how to seal it."""
    body = copy.deepcopy(document(TAKEN))
    del body["seal"]
    change(body)
    return written({**body, "seal": record._seal_of(body)})


def test_it_is_read_as_it_was_written_and_fits_its_schema() -> None:
    body = document(TAKEN)
    jsonschema.validate(body, schema.load("baseline"))
    assert parse(written(body)) == TAKEN
    assert (TAKEN.files, TAKEN.bytes, TAKEN.date) == (2, 3, "2026-11-18 11:06 UTC")


def test_a_changed_digit_is_noticed() -> None:
    body = written(document(TAKEN))
    for at in (body.index(SHA.encode()), body.index(b'"inode": 7') + 9):
        other = bytearray(body)
        other[at] = ord("8")
        with pytest.raises(ValueError, match="not as it was written"):
            parse(bytes(other))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"\xff", b"[" * 200_000, b'{"schema": "cachewright.plan/1"}'],
)
def test_what_is_no_baseline_says_so(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is"):
        parse(content)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("inode"),
        lambda body: body.update(root=7, root_base64=None),
        lambda body: body.update(root="\ud800", root_base64=None),
        lambda body: body.update(root_base64="%%"),
        lambda body: body.update(inode=-1),
        lambda body: body.update(inode=True),
        lambda body: body.update(made_ns=10**30),
        lambda body: body.update(made_ns="now"),
        lambda body: body.update(entries={}),
        lambda body: body.update(entries=[7]),
        lambda body: body.update(entries=body["entries"] * 2),
        lambda body: body["entries"][0].update(files=body["entries"][0]["files"] * 2),
        lambda body: body["entries"][0]["files"][0].update(sha256="ab"),
        lambda body: body["entries"][0]["files"][0].update(sha256=SHA.upper()),
        lambda body: body["entries"][0]["files"][0].update(bytes=1.5),
        lambda body: body.update(left_out=[{"name": "x"}]),
        lambda body: body.update(format=None),
    ],
)
def test_wrong_values_are_refused_even_when_they_are_sealed(change: Any) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        parse(sealed(change))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(json_values, st.sampled_from(["root", "entries", "left_out", "made_ns", "inode", "format"]))
def test_any_value_anywhere_is_told_or_read(value: Any, where: str) -> None:
    with suppress(ValueError):
        assert parse(sealed(lambda body: body.update({where: value}))).entries is not None
