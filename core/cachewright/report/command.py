"""Commands to be copied: arguments quoted for a POSIX shell, whatever bytes they are.

Both faces offer "the same as a command"; what is shown must be safe to show and exact to run.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from cachewright.model import Access, Directories
from cachewright.text import display, is_text


def quoted(argument: bytes | str) -> str:
    """One argument as a shell reads it; control characters and bytes that are not UTF-8 are
    spelled in ``$'...'``."""
    raw = argument.encode("utf-8", "surrogateescape") if isinstance(argument, str) else argument
    if is_text(raw) and display(raw) == raw.decode("utf-8"):
        return shlex.quote(raw.decode("utf-8"))
    return "$'" + "".join(map(_spelled, raw)) + "'"


def _spelled(byte: int) -> str:
    char = chr(byte)
    if char in "\\'":
        return "\\" + char
    return char if char.isascii() and char.isprintable() else f"\\x{byte:02x}"


def command(arguments: Iterable[bytes | str]) -> str:
    """``cachewright`` with these arguments, ready to be pasted."""
    return " ".join(["cachewright", *map(quoted, arguments)])


def reaching(access: Access) -> list[bytes | str]:
    """The options by which a store is reached in the same way."""
    named: list[bytes | str] = []
    for option, value in (
        ("--endpoint-url", access.endpoint_url),
        ("--profile", access.profile),
        ("--region", access.region),
    ):
        if value is not None:
            named += [option, value]
    if access.path_style is not None:
        named.append("--path-style" if access.path_style else "--no-path-style")
    if access.timeout_s != Access().timeout_s:
        named += ["--timeout", f"{access.timeout_s:g}s"]
    return named


def naming(said: Directories) -> list[bytes | str]:
    """The options by which the same directories are named."""
    named: list[bytes | str] = []
    for name, path in said.stores:
        named += ["--store", name.encode() + b"=" + path]
    for option, place in (("--staging", said.staging), ("--image-cache", said.image_cache)):
        if place is not None:
            named += [option, place]
    return named
