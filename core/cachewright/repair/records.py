"""One line of the journal: JSON with the hash of the line before it and its own."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cachewright.strict_json import read

GENESIS: Final = "0" * 64
"""What stands for the hash before the first record."""
_LIMIT: Final = 256 << 20
_MEMORY: Final = 1 << 30
_DEEPEST: Final = 128
"""More of each than a plan may have, which a record carries parts of: what was written once is
always read again."""


class Event(StrEnum):
    """What a record says of its operation.  The last one of an operation is how it ended; one
    that only started, or was only prepared, was interrupted."""

    STARTED = "started"
    PREPARED = "prepared"
    DONE = "done"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """A verified record.  ``fields`` are JSON values; paths in them are base64 (``pack``)."""

    number: int
    at_ns: int
    operation: str
    event: Event
    fields: Mapping[str, Any]
    previous: str
    hash: str


def pack(path: bytes) -> str:
    """A path or name for JSON, whatever bytes it has."""
    return base64.b64encode(path).decode("ascii")


def unpack(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def make(
    *,
    number: int,
    at_ns: int,
    operation: str,
    event: Event,
    fields: Mapping[str, Any],
    previous: str,
) -> tuple[Record, bytes]:
    """A record and the line that holds it."""
    body = {
        "number": number,
        "at_ns": at_ns,
        "operation": operation,
        "event": event.value,
        "fields": dict(fields),
        "previous": previous,
    }
    own = _hash(body)
    line = _canonical({**body, "hash": own}) + b"\n"
    return Record(number, at_ns, operation, event, fields, previous, own), line


def _canonical(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(body)).hexdigest()


def parse(line: bytes, number: int, previous: str) -> Record:
    """The record in ``line`` (without its line break), which must be ``number`` and follow
    ``previous``; ``ValueError`` says how it does not."""
    try:
        data = read(line, _LIMIT, memory=_MEMORY, deepest=_DEEPEST, halves=True)
        del data["hash"]
        record, written = make(**{**data, "event": Event(data["event"])})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it is not a record") from error
    if written != line + b"\n":
        raise ValueError("its hash does not fit its content")
    if record.number != number or record.previous != previous:
        raise ValueError("it does not follow the record before it")
    return record
