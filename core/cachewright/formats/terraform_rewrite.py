"""Edits a lock file's checksum lists and leaves every other byte as it was.

What comes out is read again and must differ from the old file by exactly the wanted checksums;
otherwise nothing is handed out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cachewright.formats.hcl import Broken, Text
from cachewright.formats.terraform_lockfile import Block, parse


@dataclass(frozen=True, slots=True)
class Edit:
    """What changes in one provider's block; checksums with their scheme, as in the file."""

    provider: str
    version: str
    drop: tuple[str, ...]
    add: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "version": self.version,
            "drop": list(self.drop),
            "add": list(self.add),
        }


def edits_from_json(detail: Mapping[str, Any]) -> tuple[Edit, ...]:
    """The ``blocks`` of a repair's detail; ``ValueError`` for anything odd."""
    blocks = detail.get("blocks")
    if not isinstance(blocks, list) or not blocks:
        raise ValueError("the step does not say which blocks to change")
    return tuple(_edit(block) for block in blocks)


def _edit(block: object) -> Edit:
    if not isinstance(block, dict) or set(block) != {"provider", "version", "drop", "add"}:
        raise ValueError("the step does not say what to change in a block")
    drop, add = block["drop"], block["add"]
    texts = [block["provider"], block["version"], *_texts(drop), *_texts(add)]
    if not drop or not all(isinstance(text, str) for text in texts):
        raise ValueError("the step's checksums are no text")
    return Edit(block["provider"], block["version"], tuple(drop), tuple(add))


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) else [None]


def rewrite(old: bytes, edits: Sequence[Edit]) -> bytes:
    """The file without the dropped checksums and with the added ones, each added one where
    the writer's bytewise order wants it.  ``ValueError`` if the file is not as expected or if a
    block would be left without any checksum."""
    try:
        blocks = {block.provider: block for block in parse(old)}
        changes = [_changes(old, _wanted(blocks, edit), edit) for edit in edits]
        new = _apply(old, [change for some in changes for change in some])
        _prove(blocks.values(), parse(new), edits)
    except Broken as error:
        raise ValueError(f"the lock file cannot be edited: {error}") from error
    return new


def _wanted(blocks: Mapping[str, Block], edit: Edit) -> Block:
    block = blocks.get(edit.provider)
    if block is None or block.version != edit.version:
        raise ValueError(f"the lock file no longer records {edit.provider} {edit.version}")
    if set(edit.drop) & set(edit.add):
        raise ValueError("a checksum would be dropped and added by the same step")
    present = {one.text for one in block.hashes}
    if not set(edit.drop) <= present:
        raise ValueError("a checksum to be dropped is not there any more")
    if not (present - set(edit.drop)) | set(edit.add):
        raise ValueError(f"{edit.provider} would be left without any checksum")
    return block


@dataclass(frozen=True, slots=True)
class _Change:
    start: int
    end: int
    text: bytes


def _changes(old: bytes, block: Block, edit: Edit) -> list[_Change]:
    kept = [one for one in block.hashes if one.text not in edit.drop]
    added = sorted(set(edit.add) - {one.text for one in kept})
    gone = [one for one in block.hashes if one.text in edit.drop]
    changes = [_insertion(old, block, text) for text in added]
    return changes + [change for one in gone for change in _removal(old, one)]


def _line(old: bytes, one: Text) -> tuple[int, int] | None:
    """The whole line of a checksum that has one to itself, with the line break."""
    start = old.rfind(b"\n", 0, one.start) + 1
    end = old.find(b"\n", one.end) + 1
    before, after = old[start : one.start], old[one.end : end]
    if not end or before.strip() or not re.fullmatch(rb"[ \t]*,[ \t\r]*\n", after):
        return None
    return start, end


def _removal(old: bytes, one: Text) -> list[_Change]:
    line = _line(old, one)
    if line is not None:
        return [_Change(*line, b"")]
    if one.comma < 0:
        # The last of a list without trailing comma: a comma before it may stay, HCL allows it.
        return [_Change(one.start, one.end, b"")]
    after = re.compile(rb"[ \t]*").match(old, one.comma + 1)
    end = one.comma + 1 if after is None else after.end()
    if old[one.end : one.comma].strip(b" \t"):
        return [_Change(one.start, one.end, b""), _Change(one.comma, one.comma + 1, b"")]
    return [_Change(one.start, end, b"")]


def _insertion(old: bytes, block: Block, text: str) -> _Change:
    quoted = b'"%s",' % text.encode("utf-8")
    last = _line(old, block.hashes[-1])
    following = next((one for one in block.hashes if one.text > text), None)
    if following is None and last is not None:
        return _Change(last[1], last[1], _as_line(old, block.hashes[-1], last, quoted))
    # Else at the front, where a comma after it is always right; lists written by hand have no
    # order.
    one = following or block.hashes[0]
    line = _line(old, one)
    if line is not None:
        return _Change(line[0], line[0], _as_line(old, one, line, quoted))
    return _Change(one.start, one.start, quoted + b" ")


def _as_line(old: bytes, like: Text, line: tuple[int, int], quoted: bytes) -> bytes:
    ending = b"\r\n" if old.endswith(b"\r\n", *line) else b"\n"
    return old[line[0] : like.start] + quoted + ending


def _apply(old: bytes, changes: Sequence[_Change]) -> bytes:
    new, at = bytearray(), 0
    for change in sorted(changes, key=lambda one: (one.start, one.end)):
        new += old[at : change.start] + change.text
        at = change.end
    return bytes(new + old[at:])


def _facts(blocks: Iterable[Block]) -> dict[str, tuple[str, str | None, list[str]]]:
    return {
        block.provider: (
            block.version,
            block.constraints,
            sorted({one.text for one in block.hashes}),
        )
        for block in blocks
    }


def _prove(old: Iterable[Block], new: Iterable[Block], edits: Sequence[Edit]) -> None:
    wanted = _facts(old)
    for edit in edits:
        version, constraints, hashes = wanted[edit.provider]
        left = sorted((set(hashes) - set(edit.drop)) | set(edit.add))
        wanted[edit.provider] = (version, constraints, left)
    if _facts(new) != wanted:
        raise ValueError("the lock file is written in a way that cannot be edited safely")
