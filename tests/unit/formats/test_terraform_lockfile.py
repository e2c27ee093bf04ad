from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachewright.formats.hcl import Broken
from cachewright.formats.terraform_lockfile import LIMIT, parse

H1 = "h1:" + "A" * 43 + "="


def test_what_terraform_writes(facts: Any) -> None:
    (block,) = parse(facts.lock(H1, "zh:00", "zh:11").encode())
    assert (block.provider, block.version, block.constraints) == (facts.address, "1.2.3", "1.2.3")
    assert block.values("h1") == {H1[3:]}
    assert block.values("zh") == {"00", "11"}


def test_positions_are_those_of_the_quotes(facts: Any) -> None:
    content = facts.lock(H1, "zh:00").encode()
    (block,) = parse(content)
    assert [content[one.start : one.end] for one in block.hashes] == [
        f'"{H1}"'.encode(),
        b'"zh:00"',
    ]
    assert content[block.opening : block.opening + 1] == b"["
    assert content[block.closing : block.closing + 1] == b"]"


@pytest.mark.parametrize(
    "text",
    [
        'provider "h.x/a/b" { version = "1.0.0" }\n',
        f'provider "h.x/a/b" {{\r\n  version = "1.0.0"\r\n  hashes = ["{H1}"]\r\n}}\r\n',
        f'/* a\nb */ provider "h.x/a/b" {{ # c\n version="1.0.0"// d\n hashes=[\n"{H1}"\n,]\n}}',
        'module "m" {\n  x { y = ["]"]\n }\n}\nprovider "h.x/a/b" {\n version = "1.0.0"\n}',
        'provider "h.x/a/b" {\n version = "1\\u002e0.0"\n}\n',
        'provider "h.x/a/b" {\n version = "1.0.0" # /*\n/* */ hashes = ["a:b"]\n}\n',
        'provider "h.x:1/a/b" {\n version = "1.0.0-rc.1"\n hashes = ["new:x"]\n}\n',
    ],
)
def test_other_ways_to_write_it(text: str) -> None:
    (block,) = parse(text.encode())
    assert block.version.startswith("1.0.0")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff", "it is not UTF-8 text (line 1)"),
        (b"# \n<<<<<<< HEAD\n", "it holds the marks of an unfinished merge (line 2)"),
        (b'provider "h.x/a/b" {\n  version = "1.0', "it ends in the middle"),
        (b'provider "h.x/a/b" {\n  version = "1.0.0"\n', "it ends in the middle"),
        (b'provider "h.x/a/b" {\n  version = "1.0.0"\n  hashes = [\n    "h1:', "ends in the mid"),
        (b'provider "h.x/a/b" {\n}\n', "which has no version"),
        (b'provider "h.x/a/b" {\n version = "one"\n}\n', "whose version is none"),
        (b'provider "a/b" {\n version = "1.0.0"\n}\n', "without its full address"),
        (b'provider "../../b" {\n version = "1.0.0"\n}\n', "without its full address"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n x = "y"\n}\n', "line 3 holds a setting"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n version = "1.0.0"\n}\n', "a setting"),
        (b'provider "h.x/a/b" {\n hashes = ["a:b"]\n hashes = ["a:b"]\n}\n', "a setting"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n hashes = []\n}\n', "an empty list"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n hashes = ["x"]\n}\n', "without its scheme"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n hashes = ["a:b" "c:d"]\n}\n', "belong"),
        (b'provider "h.x/a/b" {\n version = "${x}"\n}\n', "a template"),
        (b'provider "h.x/a/b" {\n version = "\\q"\n}\n', "an escape"),
        (b'provider "h.x/a/b" {\n version = "\\ud800"\n}\n', "an escape"),
        (b'provider "h.x/a/b" {\n version = "1.0.0" hashes = ["a:b"]\n}\n', "more than belongs"),
        (b"terraform {\n}\n", "a block that terraform does not know"),
        (b"a = 1\n", "a block that terraform does not know"),
        (b"{" * 100_000, "does not belong there"),
        (b'module "x" ' + b"{" * 100_000, "does not belong there"),
        (b'module "x" {' + b"a {" * 20_000, "it ends in the middle"),
        (
            b'module "x" {' + b"a {" * 100_000,
            "a block, from line 1 on, that is larger",
        ),
        (b'provider "h.x/a/b" {\n hashes = ' + b"[" * 60_000, "it ends in the middle"),
        (b'provider "h.x/a/b" {\n hashes = ' + b"[" * 100_000, "larger than is read"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n hashes = ["a:b", 5]\n}\n', "line 3 holds"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n hashes = ["a:${b}"]\n}\n', "a template"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n hashes = "a:b"\n}\n', "line 3 holds"),
        (b'provider "h.x/a/b" {\n version = <<E\n1.0.0\nE\n}\n', "line 2 holds something"),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n b {\n }\n}\n', "line 3 holds a setting"),
        (b'provider "h.x/a/b" "c" {\n version = "1.0.0"\n}\n', "without its full address"),
        (b'module "a" "b" {\n}\n', "a block that terraform does not know"),
        (b"\0" * 4096, "does not belong there"),
    ],
)
def test_damage_is_told_in_words(text: bytes, reason: str) -> None:
    with pytest.raises(Broken) as caught:
        parse(text)
    assert reason in str(caught.value)


def test_a_second_block_for_a_provider(facts: Any) -> None:
    text = facts.lock(H1)
    with pytest.raises(Broken, match="a second block for"):
        parse((text + text).encode())


def test_every_cut_of_a_file_is_noticed_or_changes_nothing(facts: Any) -> None:
    content = facts.lock(H1, "zh:00").encode()
    whole = parse(content)
    closing = content.rindex(b"}")
    start = content.index(b"\nprovider")
    for length in range(start + 2, closing + 1):
        with pytest.raises(Broken):
            parse(content[:length])
    assert parse(content[: closing + 1]) == whole


def test_a_file_of_the_greatest_size_is_read_in_one_pass(facts: Any) -> None:
    blocks = [facts.lock(H1, "zh:00", address=f"h.x/a/p{at}") for at in range(1_850)]
    content = "".join(blocks).encode()
    assert LIMIT * 3 // 4 < len(content) < LIMIT
    assert len(parse(content)) == 1_850


# Each was held against terraform 1.11 itself.
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b'provider "h.x/a/b"\n{\n version = "1.0.0"\n}\n', 1),
        (b'provider "h.x/a/b" {\n version =\n "1.0.0"\n}\n', 2),
        (b'provider "h.x/a/b" {\n version = "1.\n0"\n}\n', 2),
        (b'provider "h.x/a/b" { version = "1.0.0"\n}\n', 1),
        (b'provider "h.x/a/b" { version = "1.0.0" # c\n}\n', 1),
        (b'provider "h.x/a/b" {\n version = "1.0.0" }\n', 2),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n hashes = ["a:b",\n]}\n', 4),
        (b'provider "h.x/a/b" {\n version = "1.0.0" /*\n */ hashes = ["a:b"]\n}\n', 3),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n} module "m" {\n}\n', 3),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n\f}\n', 3),
        (b'provider "h.x/a/b" {\n version = "1.0.0"\n\r}\n', 3),
    ],
)
def test_lines_end_where_terraform_wants_them_to(text: bytes, line: int) -> None:
    with pytest.raises(Broken, match=f"^line {line} holds "):
        parse(text)


def test_a_byte_order_mark_is_passed_over(facts: Any) -> None:
    content = b"\xef\xbb\xbf" + facts.lock(H1).encode()
    (block,) = parse(content)
    (one,) = block.hashes
    assert content[one.start : one.end] == f'"{H1}"'.encode()


_NAMES = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
# Terraform reads $$${ as text, too; the grammar does not, and such a file vouches for nothing.
_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda text: "$${" not in text and "%%{" not in text
)
_HASHES = st.lists(st.tuples(_NAMES, _TEXTS).map(":".join), min_size=1, max_size=5)
_BLOCKS = st.dictionaries(_NAMES.map("h.x/a/{}".format), _HASHES, max_size=4)
_GAPS = st.sampled_from(["", " ", "\t", "\n", "\r\n", " # x\n", "// }\n", ' /* "\n */ '])
_INLINE = st.sampled_from(["", " ", "\t", "/* = */", "  "])
_ENDS = st.sampled_from(["\n", "\r\n", " # ]\n", "\n\n", " /* a\n */\n", "// b\n"])


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'


def read_back(content: bytes) -> dict[str, tuple[str, str | None, list[str]]]:
    """What was read; each position is that of a string that says the same by itself."""
    for block in parse(content):
        for one in block.hashes:
            assert content[one.start : one.end].decode() == quoted(one.text)
            assert one.comma < 0 or content[one.comma : one.comma + 1] == b","
    return {
        block.provider: (block.version, block.constraints, [one.text for one in block.hashes])
        for block in parse(content)
    }


@settings(deadline=None)
@given(blocks=_BLOCKS)
def test_what_the_writer_wrote_is_read_back(facts: Any, blocks: dict[str, list[str]]) -> None:
    written = "\n".join(
        facts.lock(*(quoted(one)[1:-1] for one in hashes), address=name)
        for name, hashes in blocks.items()
    )
    wanted = {name: ("1.2.3", "1.2.3", sorted(hashes)) for name, hashes in blocks.items()}
    found = read_back(written.encode())
    assert {name: (*rest, sorted(hashes)) for name, (*rest, hashes) in found.items()} == wanted


@settings(deadline=None)
@given(blocks=_BLOCKS, data=st.data())
def test_what_was_written_by_hand_is_read_back(
    blocks: dict[str, list[str]], data: st.DataObject
) -> None:
    def gap(kind: st.SearchStrategy[str]) -> str:
        return data.draw(kind)

    def statement(name: str, value: str) -> str:
        return f"{gap(_INLINE)}{name}{gap(_INLINE)}={gap(_INLINE)}{value}{gap(_ENDS)}"

    def block(name: str, hashes: list[str]) -> str:
        items = ",".join(f"{gap(_GAPS)}{quoted(one)}{gap(_GAPS)}" for one in hashes)
        last = f",{gap(_GAPS)}" if data.draw(st.booleans()) else ""
        inside = [statement("version", '"1.0.0"'), statement("hashes", f"[{items}{last}]")]
        ordered = "".join(data.draw(st.permutations(inside)))
        return f'{gap(_GAPS)}provider "{name}"{gap(_INLINE)}{{{gap(_ENDS)}{ordered}}}{gap(_ENDS)}'

    content = "".join(block(name, hashes) for name, hashes in blocks.items()).encode()
    assert read_back(content) == {name: ("1.0.0", None, hashes) for name, hashes in blocks.items()}


@settings(deadline=None)
@given(text=_TEXTS)
def test_escapes(text: str) -> None:
    content = f'provider "h.x/a/b" {{\n version = "1.0.0"\n constraints = {quoted(text)}\n}}\n'
    (block,) = parse(content.encode())
    assert block.constraints == text


@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_nothing_but_broken_is_raised(content: bytes) -> None:
    with contextlib.suppress(Broken):
        assert isinstance(parse(content), tuple)
