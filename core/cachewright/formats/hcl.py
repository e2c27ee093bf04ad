"""What is written in an HCL file, with the place of every value; nothing is computed.

The library's parser is iterative and knows where each string stands.  It takes more than HCL
does: where lines must end is for the caller to see to, by the positions.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Language, Node

_DEEPEST: Final = 100
_PIECE: Final = 64 * 1024
_READ_AT_ONCE: Final = 4096
_PATIENCE_S: Final = 0.4
"""Time of a processor for one piece.  One without a mistake takes a tenth of it."""
_BLOCK_END: Final = re.compile(rb"^\}[ \t\r]*\n", re.MULTILINE)
_CLOSING: Final = frozenset({"}", "]", ")"})
_ESCAPES: Final = re.compile(
    r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([nrt"\\]))|\\|([$%])\4\{|[$%]\{'
)
_SIMPLE: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_SURROGATES: Final = range(0xD800, 0xE000)


class Broken(Exception):
    """The file is not what it should be; the message says why, in words, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Text:
    """A plain string, unescaped, and where its quotes begin and end in the file.  ``comma`` is
    where the comma after it stands in a list, -1 where none does."""

    text: str
    start: int
    end: int
    comma: int = -1


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number, true, false or null."""

    value: float | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Computed:
    """Anything that is no literal: a reference, a call, an object, a list within a list.  For a
    string with a template in it ``template`` is set."""

    template: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of literals, and where its brackets begin and end."""

    items: tuple[Text | Scalar | Computed, ...]
    start: int
    end: int


Value = Text | Scalar | Computed | Listed


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    value: Value
    start: int
    end: int

    @property
    def opening(self) -> int:
        return self.value.start


@dataclass(frozen=True, slots=True)
class Block:
    """``opening`` is the position of its brace, ``end`` that after its closing one."""

    name: str
    labels: tuple[str, ...]
    start: int
    opening: int
    end: int
    statements: list[Attribute | Block] = field(default_factory=list)


def broken_at(
    content: bytes, at: int, what: str = "something that does not belong there"
) -> Broken:
    """``line 3 holds ...``"""
    line = content.count(b"\n", 0, at) + 1
    return Broken(f"line {line} holds {what}")


def read(content: bytes) -> list[Attribute | Block]:
    """The statements in the file's order; raises ``Broken``.  In a file of more than 64 KiB
    some line must begin with the brace that ends a block, in each part of that size."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Broken(f"it is not UTF-8 text (line {line})") from None
    found: list[Attribute | Block] = []
    start = 0
    while start < len(content):
        end, whole = _piece(content, start)
        root = _parse(content, start, end)
        top = [one for one in root.children if one.type != "comment"]
        if top and top[0].type in {"object", "object_start"}:
            raise broken_at(content, top[0].start_byte)
        if root.has_error:
            raise _complaint(root, content, start, end)
        if not whole:
            raise _too_large(content, start)
        found += _statements(top, content)
        start = end
    return found


def _piece(content: bytes, start: int) -> tuple[int, bool]:
    """Where to stop, and whether nothing is cut apart there.  The parser may need the square of
    the time to find its way through errors, so it is given some blocks at a time, and stopped
    where even that takes too long."""
    end = start + _PIECE
    if end >= len(content):
        return len(content), True
    ends = [one.end() for one in _BLOCK_END.finditer(content, start, end)]
    return (ends[-1], True) if ends else (end, False)


def _parse(content: bytes, start: int, end: int) -> Node:
    from tree_sitter import Parser, Range

    # Its lines and columns are of no interest; positions stay those of the whole file.
    within = Range((0, start), (0, end), start, end)
    last = time.thread_time() + _PATIENCE_S
    try:
        # Only where it asks for the text bit by bit does it let itself be stopped.
        tree = Parser(_language(), included_ranges=[within]).parse(
            lambda at, _point: content[at : at + _READ_AT_ONCE],
            progress_callback=lambda _at, _error: time.thread_time() > last,
        )
    except ValueError:
        line = content.count(b"\n", 0, start) + 1
        raise Broken(f"from line {line} on it holds too much that does not belong there") from None
    return tree.root_node


@cache
def _language() -> Language:
    import tree_sitter
    import tree_sitter_hcl

    return tree_sitter.Language(tree_sitter_hcl.language())


def _complaint(root: Node, content: bytes, start: int, end: int) -> Broken:
    bad, before = _first_error(root)
    if _wants_more(bad, content[:end].rstrip()):
        if end < len(content):
            return _too_large(content, start)
        return Broken("it ends in the middle: it was cut short")
    in_string = before is not None and before.type == "quoted_template_start"
    if in_string and b"\\" in content[bad.start_byte : bad.end_byte + 1]:
        return Broken("a string holds an escape that means nothing")
    last = bad.children if bad == root else ()
    return broken_at(content, max(one.start_byte for one in (bad, *last)))


def _too_large(content: bytes, start: int) -> Broken:
    line = content.count(b"\n", 0, start) + 1
    return Broken(f"it holds a block, from line {line} on, that is larger than is read")


def _wants_more(bad: Node, content: bytes) -> bool:
    """Whether nothing is wrong but that there is no more of it."""
    understood = bad.children
    if bad.end_byte < len(content) or any(
        one.has_error or one.start_byte == one.end_byte or one.type in _CLOSING
        for one in understood
    ):
        return False
    if not understood:
        return bad.is_missing
    in_string = understood[-1].type == "quoted_template_start"
    return not in_string or b"\n" not in content[understood[-1].end_byte :]


def _first_error(root: Node) -> tuple[Node, Node | None]:
    """The first place that the parser could make nothing of, and what stands before it there.
    What it gives up on as a whole begins with what it still understood, up to an error inside.

    A node's own way to what is before it or above it leads through the whole tree.
    """
    bad: tuple[Node, Node | None] = (root, None)
    waiting = [bad]
    while waiting:
        one = waiting.pop()
        if one[0].is_missing or (one[0].is_error and one[0] != root):
            bad = one
            break
        waiting += reversed([pair for pair in _below(one[0]) if pair[0].has_error])
    while True:
        deeper = next((pair for pair in _below(bad[0]) if pair[0].is_error), None)
        if deeper is None:
            return bad
        bad = deeper


def _below(node: Node) -> Iterable[tuple[Node, Node | None]]:
    """Its children, each with the one before it."""
    children = node.children
    return zip(children, [None, *children], strict=False)


def _statements(top: list[Node], content: bytes) -> list[Attribute | Block]:
    found: list[Attribute | Block] = []
    waiting = [(one, found, 0) for one in top]
    while waiting:
        body, into, depth = waiting.pop()
        if depth > _DEEPEST:
            raise broken_at(content, body.start_byte, "blocks within too many others")
        for node in body.children:
            if node.type == "attribute":
                into.append(_attribute(node, content))
            elif node.type == "block":
                block = _block(node, content)
                into.append(block)
                inner = [one for one in node.children if one.type == "body"]
                waiting.extend((one, block.statements, depth + 1) for one in inner)
    return found


def _block(node: Node, content: bytes) -> Block:
    name, *labels = [
        _word(one, content) for one in node.children if one.type in {"identifier", "string_lit"}
    ]
    opening = next(one.start_byte for one in node.children if one.type == "block_start")
    return Block(name, tuple(labels), node.start_byte, opening, node.end_byte)


def _attribute(node: Node, content: bytes) -> Attribute:
    name, _, expression = (one for one in node.children if one.type != "comment")
    value = _listed(expression, content) or _item(expression, content)
    return Attribute(_word(name, content), value, node.start_byte, node.end_byte)


def _listed(node: Node, content: bytes) -> Listed | None:
    while node.child_count == 1 and node.type in {"expression", "collection_value"}:
        node = node.children[0]
    if node.type != "tuple":
        return None
    items: list[Text | Scalar | Computed] = []
    for one in node.children:
        if one.type == "expression":
            items.append(_item(one, content))
        elif one.type == "," and isinstance(text := items[-1], Text):
            items[-1] = Text(text.text, text.start, text.end, one.start_byte)
    return Listed(tuple(items), node.start_byte, node.end_byte)


def _item(node: Node, content: bytes) -> Text | Scalar | Computed:
    inner = node.children
    kind = inner[0].type if len(inner) == 1 else ""
    start, end = node.start_byte, node.end_byte
    if kind == "literal_value":
        if content[start : start + 1] == b'"':
            return Text(_plain(content, start, end), start, end)
        with contextlib.suppress(ValueError):  # more digits than Python turns into a number
            return Scalar(json.loads(content[start:end]), start, end)
    quoted = content[start : start + 1] == b'"'
    return Computed(kind == "template_expr" and quoted, start, end)


def _word(node: Node, content: bytes) -> str:
    if node.type == "string_lit":
        return _plain(content, node.start_byte, node.end_byte)
    return content[node.start_byte : node.end_byte].decode()


def _plain(content: bytes, start: int, end: int) -> str:
    """What stands between the quotes, unescaped in one pass."""
    inner = content[start + 1 : end - 1]
    if b"\n" in inner:
        raise broken_at(content, start)
    return _ESCAPES.sub(_unescape, inner.decode())


def _unescape(match: re.Match[str]) -> str:
    short, long, simple, doubled = match.groups()
    code = int(short or long or "0", 16)
    if simple:
        return _SIMPLE[simple]
    if doubled:
        return doubled + "{"
    if match[0].endswith("{"):
        raise Broken("a string holds a template where a plain value belongs")
    if not (short or long) or code > sys.maxunicode or code in _SURROGATES:
        raise Broken("a string holds an escape that means nothing")
    return chr(code)
