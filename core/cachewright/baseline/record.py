"""One baseline, and the document (``cachewright.baseline/1``) that it is kept and shown as."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cachewright.report.values import Document, path_fields, text
from cachewright.strict_json import Fault, JsonRefused, read
from cachewright.text import timestamp

SCHEMA: Final = "cachewright.baseline/1"
LIMIT: Final = 256 << 20
"""Bytes of one baseline: about a million files."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LAST_MOMENT_NS: Final = 253_402_300_799 * 1_000_000_000
"""The last moment that has a date."""
_SEAL: Final = "seal"
_MEMORY: Final = 2 << 30


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One regular file: its size in bytes and its SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry that was there and was not recorded, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """The files of every recorded entry, by the entry's name and the file's name in it."""

    root: bytes
    inode: int
    format: str
    made_ns: int
    entries: Mapping[str, Mapping[bytes, FileRecord]]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def date(self) -> str:
        """When it was taken, for a person."""
        return f"{timestamp(self.made_ns)[:16].replace('T', ' ')} UTC"

    @property
    def files(self) -> int:
        return sum(len(files) for files in self.entries.values())

    @property
    def bytes(self) -> int:
        """Sizes of all recorded files."""
        return sum(one.size for files in self.entries.values() for one in files.values())


def document(baseline: Baseline) -> Document:
    """``cachewright.baseline/1``; ``seal`` is the SHA-256 of all else, so that damage shows."""
    body: Document = {
        "schema": SCHEMA,
        **path_fields("root", baseline.root),
        "inode": baseline.inode,
        "format": text(baseline.format),
        "made": timestamp(baseline.made_ns),
        "made_ns": baseline.made_ns,
        "entries": [
            {"name": text(name), "files": [_file(*one) for one in sorted(files.items())]}
            for name, files in sorted(baseline.entries.items())
        ],
        "left_out": [
            {"name": text(one.name), "reason": text(one.reason)} for one in baseline.left_out
        ],
    }
    return {**body, _SEAL: _seal_of(body)}


def _file(name: bytes, one: FileRecord) -> Document:
    return {**path_fields("name", name), "bytes": one.size, "sha256": one.sha256}


def _seal_of(body: Mapping[str, Any]) -> str:
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(plain.encode("ascii")).hexdigest()


def parse(content: bytes) -> Baseline:
    """What ``document`` made; ``ValueError`` with one plain reason for anything else."""
    try:
        record = read(content, LIMIT, memory=_MEMORY)
    except JsonRefused as error:
        reason = "is no JSON" if error.fault is Fault.NOT_JSON else str(error)
        raise ValueError(f"it {reason}") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError("it is of another kind or version")
    seal = record.pop(_SEAL, None)
    try:
        if seal != _seal_of(record):
            raise ValueError("it is not as it was written")
        return _baseline(record)
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeError, binascii.Error):
        raise ValueError("it lacks what a baseline has") from None


def _baseline(record: Mapping[str, Any]) -> Baseline:
    made_ns = _number(record["made_ns"])
    if made_ns > _LAST_MOMENT_NS:
        raise ValueError("it is of no moment that there will be")
    entries: dict[str, Mapping[bytes, FileRecord]] = {}
    for one in _list(record["entries"]):
        name = _text(one["name"])
        if name in entries:
            raise ValueError("it has an entry twice")
        entries[name] = _files(_list(one["files"]))
    left_out = tuple(
        LeftOut(_text(one["name"]), _text(one["reason"])) for one in _list(record["left_out"])
    )
    return Baseline(
        root=_path(record, "root"),
        inode=_number(record["inode"]),
        format=_text(record["format"]),
        made_ns=made_ns,
        entries=entries,
        left_out=left_out,
    )


def _files(listed: Sequence[Any]) -> Mapping[bytes, FileRecord]:
    files: dict[bytes, FileRecord] = {}
    for one in listed:
        name, sha256 = _path(one, "name"), _text(one["sha256"])
        if name in files or not _SHA256.fullmatch(sha256):
            raise ValueError("it has a file twice, or one without its digest")
        files[name] = FileRecord(_number(one["bytes"]), sha256)
    return files


def _path(record: Mapping[str, Any], name: str) -> bytes:
    exact = record.get(f"{name}_base64")
    if exact is None:
        return _text(record[name]).encode()
    return base64.b64decode(_text(exact), validate=True)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value
