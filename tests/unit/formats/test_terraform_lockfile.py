from __future__ import annotations

import contextlib
from typing import Any

import hcl2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachewright.formats.terraform_lockfile import Broken, parse

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
        (b'module "x" ' + b"{" * 100_000, "it ends in the middle"),
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
    blocks = [facts.lock(H1, "zh:00", address=f"h.x/a/p{at}") for at in range(14_000)]
    content = "".join(blocks).encode()
    assert 3 << 20 < len(content) < 4 << 20
    assert len(parse(content)) == 14_000


_NAMES = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
_SPACE = st.sampled_from(["", " ", "  ", "\t"])


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'


@settings(deadline=None)
@given(
    name=_NAMES,
    hashes=st.lists(st.tuples(_NAMES, _NAMES), min_size=1, max_size=4),
    space=_SPACE,
    breaks=st.booleans(),
    trailing=st.booleans(),
)
def test_a_general_parser_reads_the_same(
    name: str, hashes: list[tuple[str, str]], space: str, breaks: bool, trailing: bool
) -> None:
    gap = "\n" if breaks else space
    listed = f",{gap}".join(quoted(f"{scheme}:{value}") for scheme, value in hashes)
    end = "," if trailing else ""
    text = (
        f'provider "h.x/a/{name}" {{\n{space}version{space}={space}"1.0.0"{space}# x\n'
        f"hashes = [{gap}{listed}{end}{gap}]\n}}\n"
    )
    (block,) = parse(text.encode())
    other = hcl2.loads(text)["provider"][0][f'"h.x/a/{name}"']
    assert [f'"{one.text}"' for one in block.hashes] == other["hashes"]
    assert f'"{block.version}"' == other["version"]


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
