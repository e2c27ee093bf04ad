"""Reads ``.terraform.lock.hcl`` in linear time, and knows where each checksum stands.

The grammar is the little that terraform accepts there (terraform.md 2.1).  A general HCL parser
takes seconds per megabyte and recurses on hostile nesting; and to drop one line while every
other byte stays, the position of each string is needed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cachewright.formats.terraform_layout import ADDRESS, VERSION

LIMIT: Final = 4 * 1024 * 1024

_TOKENS: Final = re.compile(
    rb"""
    (?P<space>[ \t\r]+)
    | (?P<newline>\n)
    | (?P<comment>(?:\#|//)[^\n]*|/\*.*?\*/)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
    | (?P<word>[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff-]*)
    | (?P<mark>[{}\[\],=])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([nrt"\\])|(.))')
_SIMPLE: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_SURROGATES: Final = range(0xD800, 0xE000)
_CONFLICT: Final = re.compile(rb"^(?:<{7}|={7}|>{7})(?: |\r?$)", re.MULTILINE)
_HASH: Final = re.compile(r"[A-Za-z0-9_-]+:.+", re.DOTALL)


class Broken(Exception):
    """The file is no lock file that terraform would read; the message says why, in words."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """One string of a ``hashes`` list with its scheme, as written between the quotes, and where
    its quotes begin and end in the file.  ``comma`` is where the comma after it stands, -1
    where none does."""

    text: str
    start: int
    end: int
    comma: int = -1


@dataclass(frozen=True, slots=True)
class Block:
    """One ``provider`` block.  ``opening`` and ``closing`` are the positions of the brackets
    of its ``hashes`` list, -1 where it has none."""

    provider: str
    version: str
    constraints: str | None
    hashes: tuple[Checksum, ...]
    opening: int = -1
    closing: int = -1

    def values(self, scheme: str) -> frozenset[str]:
        """The checksums of one scheme, without ``scheme:``."""
        prefix = scheme + ":"
        return frozenset(
            one.text.removeprefix(prefix) for one in self.hashes if one.text.startswith(prefix)
        )


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: bytes
    start: int
    end: int


def parse(content: bytes) -> tuple[Block, ...]:
    """The provider blocks in the file's order; raises ``Broken``."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Broken(f"it is not UTF-8 text (line {line})") from None
    conflict = _CONFLICT.search(content)
    if conflict is not None:
        line = content.count(b"\n", 0, conflict.start()) + 1
        raise Broken(f"it holds the marks of an unfinished merge (line {line})")
    return _Parser(content).blocks()


def unquote(text: bytes) -> str:
    """The value of a quoted HCL string without templates; raises ``Broken``."""
    inner = text[1:-1].decode("utf-8")
    if re.search(r"(?<!\$)\$\{|(?<!%)%\{", inner):
        raise Broken("a string holds a template where a plain value belongs")

    def plain(match: re.Match[str]) -> str:
        short, long, simple, _other = match.groups()
        code = int(short or long or "0", 16)
        if simple:
            return _SIMPLE[simple]
        if not (short or long) or code > sys.maxunicode or code in _SURROGATES:
            raise Broken("a string holds an escape that means nothing")
        return chr(code)

    return _ESCAPES.sub(plain, inner).replace("$${", "${").replace("%%{", "%{")


class _Parser:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._tokens = self._split()
        self._now = next(self._tokens)

    def _split(self) -> Iterator[_Token]:
        at = 0
        while at < len(self._content):
            match = _TOKENS.match(self._content, at)
            if match is None or match.lastgroup is None:
                raise self._broken("something that does not belong there", at)
            at = match.end()
            if match.lastgroup not in {"space", "comment"}:
                yield _Token(match.lastgroup, match.group(), match.start(), match.end())
            elif match.lastgroup == "comment" and b"\n" in match.group():
                yield _Token("newline", b"\n", match.start(), match.end())
        yield _Token("end", b"", at, at)

    def _broken(self, what: str, at: int) -> Broken:
        rest = self._content[at:].rstrip()
        if not rest or (rest.startswith((b'"', b"/*")) and b"\n" not in rest):
            return Broken("it ends in the middle: it was cut short")
        line = self._content.count(b"\n", 0, at) + 1
        return Broken(f"line {line} holds {what}")

    def _take(self) -> _Token:
        token = self._now
        if token.kind != "end":
            self._now = next(self._tokens)
        return token

    def _expect(self, kind: str, text: bytes | None = None) -> _Token:
        token = self._take()
        if token.kind != kind or (text is not None and token.text != text):
            raise self._broken("something that does not belong there", token.start)
        return token

    def _skip_lines(self) -> None:
        while self._now.kind == "newline":
            self._take()

    def _end_of_line(self) -> None:
        if self._now.kind not in {"newline", "end"} and self._now.text != b"}":
            raise self._broken("more than belongs there", self._now.start)

    def blocks(self) -> tuple[Block, ...]:
        found: dict[str, Block] = {}
        while True:
            self._skip_lines()
            if self._now.kind == "end":
                return tuple(found.values())
            word = self._expect("word")
            if word.text == b"module":
                self._pass_over()
                continue
            if word.text != b"provider":
                raise self._broken("a block that terraform does not know", word.start)
            block = self._provider()
            if block.provider in found:
                raise self._broken(f"a second block for {block.provider}", word.start)
            found[block.provider] = block

    def _pass_over(self) -> None:
        """A ``module`` block: reserved, and of no meaning yet."""
        self._expect("string")
        self._expect("mark", b"{")
        depth = 1
        while depth:
            token = self._take()
            if token.kind == "end":
                raise self._broken("", token.start)
            depth += {b"{": 1, b"}": -1}.get(token.text, 0)

    def _provider(self) -> Block:
        label = self._expect("string")
        name = unquote(label.text)
        if not ADDRESS.fullmatch(name.encode("utf-8")):
            raise self._broken("a provider without its full address", label.start)
        self._expect("mark", b"{")
        texts: dict[bytes, str] = {}
        hashes: tuple[Checksum, ...] | None = None
        brackets = (-1, -1)
        while True:
            self._skip_lines()
            if self._now.text == b"}" and self._now.kind == "mark":
                break
            word = self._expect("word")
            self._expect("mark", b"=")
            if word.text == b"hashes" and hashes is None:
                hashes, brackets = self._hashes()
            elif word.text in {b"version", b"constraints"} and word.text not in texts:
                texts[word.text] = unquote(self._expect("string").text)
            else:
                raise self._broken("a setting that does not belong there", word.start)
            self._end_of_line()
        closing = self._take()
        self._end_of_line()
        if b"version" not in texts:
            raise self._broken(f"the end of {name}, which has no version", closing.start)
        if not VERSION.fullmatch(texts[b"version"].encode("utf-8")):
            raise self._broken(f"the end of {name}, whose version is none", closing.start)
        constraints = texts.get(b"constraints")
        return Block(name, texts[b"version"], constraints, hashes or (), *brackets)

    def _hashes(self) -> tuple[tuple[Checksum, ...], tuple[int, int]]:
        opening = self._expect("mark", b"[")
        found: list[Checksum] = []
        self._skip_lines()
        while self._now.text != b"]":
            token = self._expect("string")
            text = unquote(token.text)
            if not _HASH.fullmatch(text):
                raise self._broken("a checksum without its scheme", token.start)
            self._skip_lines()
            comma = -1
            if self._now.text != b"]":
                comma = self._expect("mark", b",").start
                self._skip_lines()
            found.append(Checksum(text, token.start, token.end, comma))
        closing = self._take()
        if not found:
            raise self._broken("an empty list of checksums", opening.start)
        return tuple(found), (opening.start, closing.start)
