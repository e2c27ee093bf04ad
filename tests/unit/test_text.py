"""Hostile names become visible, plain text (reliability.md C4, T7, T8, T11)."""

from __future__ import annotations

import unicodedata

import pytest

from cachewright import text
from cachewright.text import brief, display, elide, is_text, public_address, timestamp

HOSTILE = [
    b"n\xff\xfe",
    b"two\nlines",
    b"back\rover",
    b"\x1b[31mred",
    b"\x1b]52;c;aGk=\x07",
    "\u202egnp.exe".encode(),
    "a\u2028b\u0085c".encode(),
    "zero\u200bwidth".encode(),
    b"\xed\xa0\x80",
    b"del\x7f",
]


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_nothing_that_acts_on_a_terminal_or_label_is_left(name: bytes) -> None:
    shown = display(name)
    assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)
    shown.encode("utf-8")


def test_names_that_differ_only_in_undecodable_bytes_stay_different() -> None:
    assert display(b"n\xff") == "n\\xff"
    assert display(b"n\xff") != display(b"n\xfe") != display(b"n")


@pytest.mark.parametrize("name", ["plain", "größer", "名前", "a b<i>c</i>&d"])
def test_readable_names_stay_as_they_are(name: str) -> None:
    assert display(name) == name
    assert display(name.encode()) == name


def test_is_text_tells_what_json_can_carry() -> None:
    assert is_text("größer".encode())
    assert not is_text(b"n\xff")


def test_elide_keeps_both_ends() -> None:
    assert elide("short", 10) == "short"
    assert elide("terraform-provider-aws_v5.94.1_x5", 11) == "terra….1_x5"
    assert len(elide("x" * 100, 20)) == 20


def test_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123Z"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (b"mysql+pymysql://u:p@h/d", b"mysql+pymysql://u@h/d"),
        (b"mysql+pymysql://:p@h/d", b"mysql+pymysql://@h/d"),
        (b"mysql+pymysql://u:p@ss/w?rd#1@h:3306/d", b"mysql+pymysql://u@h:3306/d"),
        (b"postgresql://u@h/d?sslmode=require", b"postgresql://u@h/d?sslmode=require"),
        (b"postgresql://h/d?user=u&password=p&host=%2Fs", b"postgresql://h/d?user=u&host=%2Fs"),
        (b"postgresql://h/d?PassWD=p", b"postgresql://h/d"),
        (b"postgresql://h:5432/d", b"postgresql://h:5432/d"),
        (b"sqlite:////a:b@c/d.sqlite", b"sqlite:////a:b@c/d.sqlite"),
        (b"s3://bucket/some/prefix", b"s3://bucket/some/prefix"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address: bytes, shown: bytes) -> None:
    assert public_address(address) == shown


@pytest.mark.parametrize("limit", [2, 3, 40, 41])
@pytest.mark.parametrize(
    "value",
    ["", "a" * 39, "a" * 5000, "é\u202e" * 5000, "x" * 200 + "\ud800" * 200, "end\n" * 90],
)
def test_brief_is_what_is_left_of_the_display(value: str, limit: int) -> None:
    assert brief(value, limit) == elide(display(value), limit)
    raw = value.encode("utf-8", "surrogatepass")
    if "\ud800" not in value:
        assert brief(raw, limit) == elide(display(raw), limit)


def test_brief_looks_at_the_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(value: bytes | str) -> str:
        seen.append(len(value))
        return display(value)

    monkeypatch.setattr(text, "display", watched)
    assert len(brief("\u202e" * 1_000_000, 40)) == 40
    assert max(seen) < 1000
