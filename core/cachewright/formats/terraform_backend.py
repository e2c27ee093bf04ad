"""Where a working directory keeps its state: the backend settings that ``init`` wrote to
``.terraform/terraform.tfstate``.

They may hold passwords and keys.  Only a backend's type and the names of its bucket, key, table
and directories ever leave this module.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import CachewrightError, TooLarge
from cachewright.formats.terraform_backends import SENTENCES
from cachewright.formats.terraform_state_layout import STATE, WORKSPACES
from cachewright.strict_json import Fault, JsonRefused, read
from cachewright.text import brief, display

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

LIMIT: Final = 1 << 20
"""Real settings have a few kilobytes."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", re.ASCII)
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
_KEY_BYTES: Final = 1024
_TYPE_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Backend:
    """``state`` and ``workspaces`` are paths as the tool reads them, relative to the working
    directory or absolute, of the local backend; None where state is kept elsewhere, and then
    ``elsewhere`` says in plain sentences where."""

    state: bytes | None = STATE
    workspaces: bytes | None = WORKSPACES
    elsewhere: str = ""


LOCAL: Final = Backend()
"""Where nothing is configured."""


class Unreadable(Exception):
    """The settings are there and cannot be read; ``str`` is why, without quoting them."""


def read_backend(folder: Directory, relative: bytes) -> Backend:
    """The backend that the settings at ``relative`` name; ``LOCAL`` where there are none.

    Raises ``Unreadable``.
    """
    try:
        content = folder.read(relative, LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return LOCAL
    except TooLarge:
        raise Unreadable(f"they are larger than {LIMIT >> 20} MiB") from None
    except OSError as error:
        raise Unreadable(error.strerror or "they cannot be read") from None
    except CachewrightError:
        raise Unreadable("they are no regular file") from None
    try:
        # A name that stands twice would lead the tool to one place and this program to another.
        data = read(content, LIMIT, halves=True)
    except JsonRefused as error:
        twice = error.fault is Fault.TWICE
        raise Unreadable("they say one thing twice" if twice else "they are not JSON") from None
    backend = data.get("backend") if isinstance(data, dict) else None
    if backend is None:
        return LOCAL
    if not isinstance(backend, dict) or not isinstance(backend.get("type"), str):
        raise Unreadable("they name no backend")
    config = backend.get("config")
    return _backend(backend["type"], config if isinstance(config, dict) else {})


def _backend(kind: str, config: Mapping[str, Any]) -> Backend:
    if kind == "local":
        state, workspaces = _text(config, "path"), _text(config, "workspace_dir")
        return Backend(
            os.fsencode(state) if state else STATE,
            os.fsencode(workspaces) if workspaces else WORKSPACES,
        )
    return Backend(None, None, _s3(config) if kind == "s3" else _unsupported(kind))


def _text(config: Mapping[str, Any], name: str) -> str:
    """A setting that is text a path or address can be made of; else empty."""
    value = config.get(name)
    if not isinstance(value, str) or "\0" in value:
        return ""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return ""
    return value


def _unsupported(kind: str) -> str:
    known = SENTENCES.get(kind)
    if known is not None:
        return f"This project keeps its state elsewhere. {known}"
    name = brief(kind, _TYPE_SHOWN)
    return (
        f"This project keeps its state in a backend of type {name}, which Cachewright does not "
        "know. Whether it is locked cannot be told here."
    )


def _s3(config: Mapping[str, Any]) -> str:
    bucket, key, table = (_text(config, name) for name in ("bucket", "key", "dynamodb_table"))
    if not _BUCKET.fullmatch(bucket) or not _sayable(key):
        return (
            "This project keeps its state in an S3 bucket that its settings do not name in a "
            "way that can be shown; look at its locks with: cachewright locks s3://BUCKET/KEY"
        )
    place, own = f"s3://{bucket}/{key}", _has_endpoint(config)
    said = [
        f"This project keeps its state in {place}",
        f"look at its locks with: {_look(place, own)}",
    ]
    prefix = _text(config, "workspace_key_prefix") or "env:"
    if _sayable(prefix):
        said.append(f"at those of its workspaces with: {_look(f's3://{bucket}/{prefix}/', own)}")
    if _TABLE.fullmatch(table):
        said.append(f"it also locks in a table: {_look(f'dynamodb://{table}', own)}")
    if own:
        said.append("URL is the endpoint that its backend settings name")
    return "; ".join(said)


def _sayable(key: str) -> bool:
    """Whether a key can stand in a command as it is."""
    return 0 < len(key.encode()) <= _KEY_BYTES and display(key) == key


def _look(address: str, own_endpoint: bool) -> str:
    more = " --endpoint-url URL" if own_endpoint else ""
    return f"cachewright locks {shlex.quote(address)}{more}"


def _has_endpoint(config: Mapping[str, Any]) -> bool:
    """Whether the bucket is on a server of its own; its address may hold a password."""
    return any(config.get(name) for name in ("endpoint", "endpoints", "dynamodb_endpoint"))
