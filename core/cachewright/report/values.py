"""The small values that every JSON document is made of: paths, times, digests, holders.

JSON carries text, paths are bytes: a path that is UTF-8 stands as it is; any other stands in
its safe display form, and its bytes stand beside it in ``<field>_base64`` (DESIGN 8).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cachewright.model import Digest, Evidence, ExpectedDigest, Holder
from cachewright.text import display, is_text, timestamp

Document = dict[str, Any]


def text(value: str) -> str:
    """``value``, or its display form where it could not be encoded as UTF-8."""
    return display(value) if any("\ud800" <= char <= "\udfff" for char in value) else value


def path_text(path: bytes) -> str:
    return path.decode("utf-8") if is_text(path) else display(path)


def _base64(path: bytes) -> str:
    return base64.b64encode(path).decode("ascii")


def path_fields(name: str, path: bytes) -> Document:
    """``{name: text}``, with ``name_base64`` where the path is not UTF-8."""
    fields: Document = {name: path_text(path)}
    if not is_text(path):
        fields[f"{name}_base64"] = _base64(path)
    return fields


def optional_path_fields(name: str, path: bytes | None) -> Document:
    return {name: None} if path is None else path_fields(name, path)


def path_list_fields(name: str, paths: Sequence[bytes]) -> Document:
    """``{name: [text, ...]}``, with ``name_base64`` (all of them, same order) where one of the
    paths is not UTF-8."""
    fields: Document = {name: [path_text(path) for path in paths]}
    if not all(map(is_text, paths)):
        fields[f"{name}_base64"] = [_base64(path) for path in paths]
    return fields


def moment(at_ns: int) -> str | None:
    """RFC 3339, or ``None`` where the time is not known."""
    return timestamp(at_ns) if at_ns else None


def digest(one: Digest) -> Document:
    return {"algorithm": one.algorithm, "value": one.value}


def expected_digest(one: ExpectedDigest) -> Document:
    return {
        "algorithm": one.algorithm,
        "value": one.value,
        **path_fields("source", one.source),
    }


def evidence(observations: Iterable[Evidence]) -> list[Document]:
    return [
        {
            "fact": one.fact,
            "says": one.says.value,
            "detail": text(one.detail),
            "at": timestamp(one.at_ns),
        }
        for one in observations
    ]


def holders(processes: Iterable[Holder]) -> list[Document]:
    return [
        {
            "pid": one.pid,
            "started": moment(one.started_ns),
            "user": text(one.user),
            "command": text(one.command),
            "how": list(one.how),
            "state": one.state,
        }
        for one in processes
    ]


def owner(fields: Mapping[str, str]) -> Document:
    return {text(name): text(value) for name, value in fields.items()}
