from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachewright.formats.terraform_lock_info import FIELDS, LIMIT, parse

REAL = (
    b'{"ID":"54dacc76-4307-835c-38da-9ae77bb5eb7c","Operation":"OperationTypeApply","Info":"",'
    b'"Who":"root@vm","Version":"1.11.4","Created":"2026-11-20T10:02:07.525143475Z",'
    b'"Path":"terraform.tfstate"}'
)


def test_what_terraform_writes_is_read() -> None:
    claim = parse(REAL)
    assert claim.id == "54dacc76-4307-835c-38da-9ae77bb5eb7c"
    assert claim.owner == json.loads(REAL)
    assert (claim.made_ns, claim.host) == (1795168927_525143475, "vm")
    assert (claim.garbage, claim.programs) == ("", ("terraform", "tofu"))
    assert tuple(claim.owner) == FIELDS


def test_only_the_id_is_needed_and_what_is_unknown_is_left_out() -> None:
    claim = parse(b'{"ID": "x", "More": {"deep": [1]}, "Who": null}')
    assert (claim.id, claim.garbage, claim.owner) == ("x", "", {"ID": "x", "Who": ""})
    assert (claim.made_ns, claim.host) == (0, "")


def test_names_count_regardless_of_case_as_for_the_tools() -> None:
    assert parse(b'{"id": "x"}').id == "x"
    assert parse(b'{"id": "x", "ID": "y"}').garbage == "It has two values for ID."


def test_escapes_are_kept_and_half_characters_replaced() -> None:
    claim = parse(b'{"ID": "a\\ud800b", "Who": "\\u001b[31mroot@\\u202evm"}')
    assert claim.id == "a\ufffdb"
    assert claim.owner["Who"] == "\x1b[31mroot@\u202evm"
    assert "".join(claim.owner.values()).encode("utf-8")


@pytest.mark.parametrize(
    ("created", "ns"),
    [
        ("2026-11-20T10:02:07Z", 1795168927_000000000),
        ("2026-11-20t11:02:07.5+01:00", 1795168927_500000000),
        ("2026-11-20T10:02:07.1234567891Z", 1795168927_123456789),
        ("0001-01-01T00:00:00Z", 0),
    ],
)
def test_times_are_read_to_the_nanosecond(created: str, ns: int) -> None:
    assert parse(json.dumps({"ID": "x", "Created": created}).encode()).made_ns == ns


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (b"", "It is empty."),
        (b" \n", "It is empty."),
        (b"\xff\xfe", "It is not text."),
        (b"\xef\xbb\xbf{}", "It is not JSON."),
        (b"garbage", "It is not JSON."),
        (REAL[:-1], "It is not JSON."),
        (REAL + REAL, "It is not JSON."),
        (b"[]", "It is JSON, but no object."),
        (b'"ID"', "It is JSON, but no object."),
        (b'{"ID": "x", "a": NaN}', "It has NaN, which is not JSON."),
        (b'{"ID": "x", "a": -Infinity}', "It has -Infinity, which is not JSON."),
        (b'{"ID": "x", "ID": "y"}', "It has two values for ID."),
        (b'{"ID": "x", "more": {"a\\u001b": 1, "a\\u001b": 1}}', "It has two values for a\\x1b."),
        (b'{"ID": 7}', "Its ID is not text."),
        (b'{"ID": "x", "Who": ["a"]}', "Its Who is not text."),
        (b'{"ID": "x", "Created": "yesterday"}', "Its Created is not a time."),
        (b'{"ID": "x", "Created": "2026-13-40T10:02:07Z"}', "Its Created is not a time."),
        (b'{"ID": "x", "a": ' + b"[" * 30_000, "It is nested deeper than any lock is."),
        (b'{"ID": "x", "a": ' + b"1" * 5000 + b"}", "It has a number of too many digits."),
        (b'{"ID": "x", "a": 1e999}', "It has a number that is too large."),
        (b'{"ID": null, "id": null}', "It has two values for id."),
        (b'{"ID": "x", "iD": "x"}', "It has two values for iD."),
        (b" " * (LIMIT + 1), "It is larger than 64 KiB, which no lock is."),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(record: bytes, sentence: str) -> None:
    claim = parse(record)
    assert (claim.garbage, claim.id, dict(claim.owner)) == (sentence, "", {})


@pytest.mark.parametrize("record", [b"{}", b'{"ID": ""}', b'{"ID": null}', b'{"lock": "x"}'])
def test_another_tools_json_has_no_id(record: bytes) -> None:
    assert parse(record).garbage.startswith("It is JSON, but names no lock ID")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda one: one.encode("utf-8")))
def test_no_bytes_at_all_make_it_raise(record: bytes) -> None:
    claim = parse(record)
    assert bool(claim.garbage) != bool(claim.id)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), _VALUES))
def test_no_json_makes_it_raise(data: dict[str, Any]) -> None:
    claim = parse(json.dumps(data).encode())
    assert bool(claim.garbage) != bool(claim.id)
    assert all(isinstance(one, str) and one.encode("utf-8") is not None for one in claim.owner)


@given(st.binary(max_size=40), st.integers(0, len(REAL)), st.integers(0, 40))
def test_no_damage_to_a_real_one_makes_it_raise(new: bytes, at: int, gone: int) -> None:
    claim = parse(REAL[:at] + new + REAL[at + gone :])
    assert bool(claim.garbage) != bool(claim.id)


def test_a_huge_record_is_not_even_decoded() -> None:
    record = b'{"ID": "' + b"x" * (10 << 20) + b'"}'
    tracemalloc.start()
    claim = parse(record)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert claim.garbage
    assert peak < 1 << 20
