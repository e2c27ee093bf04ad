from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachewright.formats.hcl import (
    Attribute,
    Block,
    Broken,
    Computed,
    Listed,
    Scalar,
    Text,
    Value,
    read,
)


def value(text: str) -> Value:
    (one,) = read(f"a = {text}\n".encode())
    assert isinstance(one, Attribute)
    return one.value


def test_blocks_attributes_and_where_they_stand() -> None:
    content = b'# c\na "b" c /* d */ {\n  x = [ "y" , 1 ]\n  e {}\n}\nf = true # g'
    block, last = read(content)
    assert isinstance(block, Block)
    assert (block.name, block.labels) == ("a", ("b", "c"))
    assert content[block.start : block.opening] == b'a "b" c /* d */ '
    assert content[block.opening : block.end].startswith(b"{\n")
    assert content[: block.end].endswith(b"{}\n}")
    listed, inner = block.statements
    assert isinstance(listed, Attribute)
    assert isinstance(listed.value, Listed)
    text, number = listed.value.items
    assert isinstance(text, Text)
    assert (text.text, content[text.start : text.end], content[text.comma]) == (
        "y",
        b'"y"',
        ord(","),
    )
    assert isinstance(number, Scalar)
    assert content[listed.value.start : listed.value.end] == b'[ "y" , 1 ]'
    assert content[listed.start : listed.end] == b'x = [ "y" , 1 ]'
    assert inner == Block("e", (), inner.start, inner.end - 2, inner.end, [])
    assert isinstance(last, Attribute)
    assert last.opening == last.value.start == content.index(b"true")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('""', ""),
        (r'"\n\r\t\"\\"', '\n\r\t"\\'),
        (r'"\u00e9\U0001F600"', "\u00e9\U0001f600"),
        ('"$${a} %%{b} $ $$ % $a"', "${a} %{b} $ $$ % $a"),
        # What an escape gives is no mark any more, nor is the second half of one.
        (r'"\u0024{a}\\u0041\u0024$${"', "${a}\\u0041$${"),
    ],
)
def test_strings_are_unescaped_once(text: str, plain: str) -> None:
    found = value(text)
    assert isinstance(found, Text)
    assert found.text == plain
    assert (found.start, found.end, found.comma) == (4, 4 + len(text.encode()), -1)


@pytest.mark.parametrize("text", ["1", "-0.5e3", "true", "false", "null"])
def test_scalars(text: str) -> None:
    found = value(text.removeprefix("-"))
    assert isinstance(found, Scalar)
    expected = {"1": 1, "-0.5e3": 500.0, "true": True, "false": False, "null": None}[text]
    assert found.value == expected
    assert type(found.value) is type(expected)


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ('"a${b}"', True),
        ('"%{if a}b%{endif}"', True),
        ("<<E\na\nE\n", False),
        ("a.b", False),
        ('f("a")', False),
        ('("a")', False),
        ('"a".b', False),
        ('["a"][0]', False),
        ('"a" == "b"', False),
        ('{ a = "b" }', False),
        ('[for a in ["b"] : a]', False),
        ("-1", False),
        ("1" * 5000, False),
    ],
)
def test_what_is_no_literal_is_not_computed(text: str, template: bool) -> None:
    found = value(text)
    assert isinstance(found, Computed)
    assert (found.template, found.start, found.end) == (template, 4, 4 + len(text.rstrip()))
    inside = value(f'["x", {text}]')
    assert isinstance(inside, Listed)
    assert [type(one) for one in inside.items] == [Text, Computed]


def test_lists_hold_no_lists() -> None:
    found = value('[["a"], "b",]')
    assert isinstance(found, Listed)
    assert [type(one) for one in found.items] == [Computed, Text]
    assert value("[]") == Listed((), 4, 6)


LARGE = "it holds a block, from line {} on, that is larger than is read"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a = 1\nb = \xff", "it is not UTF-8 text (line 2)"),
        (b"a = 1\nb = = 2\nc = 3\n", "line 2 holds something that does not belong there"),
        (b"a = 1\n}\n", "line 2 holds something that does not belong there"),
        (b"a {\n b = 1\n]", "line 3 holds something that does not belong there"),
        (b"a = [ }\n[", "line 1 holds something that does not belong there"),
        (b"a=][", "line 1 holds something that does not belong there"),
        (b'a "{\nb', "line 1 holds something that does not belong there"),
        (b'a {\n b = ["c"\n "d"]\n}\n', "line 2 holds something that does not belong there"),
        (b'a = 1\nb = "c\nd"\n', "line 2 holds something that does not belong there"),
        (b"a = 1\n\0\0\0", "line 2 holds something that does not belong there"),
        (b"# a\n{}\n", "line 2 holds something that does not belong there"),
        (b'a "b\nc" {\n}\n', "line 1 holds something that does not belong there"),
        (b'a "${b}" {\n}\n', "a string holds a template where a plain value belongs"),
        (b'a = "b\\q"\nc = 1\n', "a string holds an escape that means nothing"),
        (b'a = "\\ud800"\n', "a string holds an escape that means nothing"),
        (b'a = "\\UFFFFFFFF"\n', "a string holds an escape that means nothing"),
        (b"a", "it ends in the middle: it was cut short"),
        (b"a = 1\nb = ", "it ends in the middle: it was cut short"),
        (b"a {\n b = [1]\n", "it ends in the middle: it was cut short"),
        (b'a {\n b = ["c', "it ends in the middle: it was cut short"),
        (b"a {}\n" * 100 + b"a {\n" * 102 + b"}\n" * 102, "line 202 holds blocks within too many"),
        (b"a {\n}\n" * 9 + b"a {\n b = [\n" + b'"c",' * 20_000 + b"]\n}\n", LARGE.format(19)),
        (b"a {\n}\n" * 9 + b"# a\n" * 20_000, LARGE.format(19)),
        (b"a {\n}\n" * 20_000 + b"a {\n b = = 1\n}\n", "line 40002 holds something that does not"),
        (b"a {\n}\n" * 20_000 + b"a {\n b = [", "it ends in the middle: it was cut short"),
        (b"a {\n" * 2 + b"a {\n}\n" * 20_000, LARGE.format(1)),
    ],
)
def test_what_is_wrong_is_told_with_its_line(content: bytes, reason: str) -> None:
    with pytest.raises(Broken) as caught:
        read(content)
    assert reason in str(caught.value)


def test_a_large_file_is_read_as_if_it_were_one_piece() -> None:
    block = b'a "%d" { # }\n b = ["c"] /*\n} */\n}\r\n'
    content = b"".join(block % number for number in range(4000))
    assert len(content) > 100_000
    found = read(content)
    assert [one.labels for one in found if isinstance(one, Block)] == [
        (str(number),) for number in range(4000)
    ]
    for one in found:
        assert isinstance(one, Block)
        assert content[one.start : one.end] == (block % int(one.labels[0])).rstrip()
        (inside,) = one.statements
        assert content[inside.start : inside.end] == b'b = ["c"]'


@pytest.mark.parametrize(
    "piece",
    [b"[", b"a = [", b"{", b"a {", b"a = {", b"(", b'"${', b'a = "${', b"f(", b"a = !", b"]", b"}"],
)
def test_hostile_nesting_is_refused(piece: bytes) -> None:
    with pytest.raises(Broken):
        read(b"a = " + piece * 100_000)
    with pytest.raises(Broken):
        read(piece * 100_000)


_PIECES = [
    *'{}[]()=,"#$%-!?.:\\\n\0 ',
    *("${", "%{", "$${", "/*", "*/", "//", "<<E\n", "\nE\n", "\\u0041", "\r\n", "\ufeff"),
    *("a", "é", "1", "true", "null", "for a in b : ", 'a "b" {', "a = 1\n", '"c"', "...", "=>"),
]


@settings(deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=80),
        st.lists(st.sampled_from(_PIECES), max_size=60).map(lambda all_: "".join(all_).encode()),
    )
)
def test_nothing_but_broken_is_raised(content: bytes) -> None:
    with contextlib.suppress(Broken):
        assert isinstance(read(content), list)


def test_the_parser_is_loaded_when_a_file_is_read() -> None:
    program = (
        "import sys\n"
        "from cachewright.cli.main import run\n"
        "from cachewright.formats import hcl, opentofu, terraform\n"
        "assert run(['--version']) == 0\n"
        "assert not {'tree_sitter', 'tree_sitter_hcl'} & set(sys.modules)\n"
        "hcl.read(b'a = 1')\n"
        "assert 'tree_sitter' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("times", [10_000, 80_000])
def test_what_takes_too_long_to_make_sense_of_is_not_read_further(times: int) -> None:
    with pytest.raises(Broken, match="from line 1 on it holds too much that does not belong"):
        read(b"a = !\n" * times)


def test_a_deep_error_is_found_without_going_back_through_the_whole() -> None:
    with pytest.raises(Broken, match="line 5001 holds"):
        read(b"a {\n" * 5000 + b"b = [\n" + b"}\n" * 5000)
