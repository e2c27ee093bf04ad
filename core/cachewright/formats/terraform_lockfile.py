"""Reads ``.terraform.lock.hcl``: which checksums terraform recorded, and where each one stands.

What terraform would refuse (terraform.md 2.1) vouches for nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cachewright.formats import hcl
from cachewright.formats.hcl import Broken, Listed, Text, Value, broken_at
from cachewright.formats.terraform_layout import ADDRESS, VERSION

LIMIT: Final = 512 << 10
"""Bytes of a lock file: more than three hundred providers, and half a second of reading."""

_CONFLICT: Final = re.compile(rb"^(?:<{7}|={7}|>{7})(?: |\r?$)", re.MULTILINE)
_NO_SPACE: Final = re.compile(rb"[\v\f]|\r(?!\n)")
_COMMENT: Final = re.compile(rb"(?:#|//)[^\n]*|/\*.*?\*/", re.DOTALL)
_HASH: Final = re.compile(r"[A-Za-z0-9_-]+:.+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One ``provider`` block.  ``hashes`` are the strings of that list, each with its scheme.
    ``opening`` and ``closing`` are the positions of its brackets, -1 where there is none."""

    provider: str
    version: str
    constraints: str | None
    hashes: tuple[Text, ...]
    opening: int = -1
    closing: int = -1

    def values(self, scheme: str) -> frozenset[str]:
        """The checksums of one scheme, without ``scheme:``."""
        prefix = scheme + ":"
        return frozenset(
            one.text.removeprefix(prefix) for one in self.hashes if one.text.startswith(prefix)
        )


def parse(content: bytes) -> tuple[Block, ...]:
    """The provider blocks in the file's order; raises ``Broken``."""
    conflict = _CONFLICT.search(content)
    if conflict is not None:
        line = content.count(b"\n", 0, conflict.start()) + 1
        raise Broken(f"it holds the marks of an unfinished merge (line {line})")
    blank = _NO_SPACE.search(content)
    if blank is not None:
        raise broken_at(content, blank.start())
    statements = hcl.read(content)
    _check_lines(content, statements)
    found: dict[str, Block] = {}
    for one in statements:
        if isinstance(one, hcl.Block) and one.name == "module" and len(one.labels) == 1:
            continue  # reserved, and of no meaning yet
        if not isinstance(one, hcl.Block) or one.name != "provider":
            raise broken_at(content, one.start, "a block that terraform does not know")
        block = _provider(content, one)
        if block.provider in found:
            raise broken_at(content, one.start, f"a second block for {block.provider}")
        found[block.provider] = block
    return tuple(found.values())


def _check_lines(content: bytes, statements: Sequence[hcl.Attribute | hcl.Block]) -> None:
    """Each statement has lines of its own, and its head is on one line."""
    for one in statements:
        if b"\n" in content[one.start : one.opening]:
            raise broken_at(content, one.start)
    for one, other in itertools.pairwise(statements):
        if not _breaks(content, one.end, other.start):
            raise broken_at(content, other.start, "more than belongs there")


def _check_braces(content: bytes, block: hcl.Block) -> None:
    """They stand on the one line of a block, or at the end of a line and on one of its own."""
    inside = block.statements
    if not inside or b"\n" not in content[block.opening : block.end]:
        return
    if not _breaks(content, block.opening + 1, inside[0].start):
        raise broken_at(content, inside[0].start, "more than belongs there")
    if not _breaks(content, inside[-1].end, block.end - 1):
        raise broken_at(content, block.end - 1, "more than belongs there")


def _breaks(content: bytes, start: int, end: int) -> bool:
    """Whether a line ends between two statements; not if it does so in a comment only."""
    return b"\n" in _COMMENT.sub(b"", content[start:end])


def _provider(content: bytes, block: hcl.Block) -> Block:
    name = block.labels[0] if len(block.labels) == 1 else ""
    if not ADDRESS.fullmatch(name.encode("utf-8")):
        raise broken_at(content, block.start, "a provider without its full address")
    _check_lines(content, block.statements)
    _check_braces(content, block)
    texts: dict[str, str] = {}
    hashes: Listed | None = None
    for one in block.statements:
        if isinstance(one, hcl.Attribute) and one.name == "hashes" and hashes is None:
            hashes = _list(content, one.value)
        elif (
            isinstance(one, hcl.Attribute)
            and one.name in {"version", "constraints"}
            and one.name not in texts
        ):
            texts[one.name] = _text(content, one.value).text
        else:
            raise broken_at(content, one.start, "a setting that does not belong there")
    if "version" not in texts:
        raise broken_at(content, block.end - 1, f"the end of {name}, which has no version")
    if not VERSION.fullmatch(texts["version"].encode("utf-8")):
        raise broken_at(content, block.end - 1, f"the end of {name}, whose version is none")
    found = Block(name, texts["version"], texts.get("constraints"), ())
    if hashes is None:
        return found
    checksums = tuple(_checksum(content, one) for one in hashes.items)
    return replace(found, hashes=checksums, opening=hashes.start, closing=hashes.end - 1)


def _list(content: bytes, value: Value) -> Listed:
    if not isinstance(value, Listed):
        raise broken_at(content, value.start)
    if not value.items:
        raise broken_at(content, value.start, "an empty list of checksums")
    return value


def _checksum(content: bytes, value: Value) -> Text:
    text = _text(content, value)
    if not _HASH.fullmatch(text.text):
        raise broken_at(content, text.start, "a checksum without its scheme")
    return text


def _text(content: bytes, value: Value) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, hcl.Computed) and value.template:
        raise Broken("a string holds a template where a plain value belongs")
    raise broken_at(content, value.start)
