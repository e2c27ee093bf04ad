"""What Glance's own configuration says: its database, its stores, and where it works.

An ``oslo.config`` file: sections, ``name = value``, continued by lines that begin with a blank;
an option may stand several times, and a value may name others (``$state_path/x``).
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from cachewright.storage.anchored import Directory

CONFIG: Final = b"glance-api.conf"
_LIMIT: Final = 4 << 20
_SECTION: Final = re.compile(r"\[([^\]]*)\]\s*(?:[#;].*)?")
_NAMED: Final = re.compile(
    r"\$(?:\{(?:(?P<group>\w+)\.)?(?P<braced>\w+)\}|(?P<plain>\w+)|(?P<money>\$))"
)
_DEEPEST: Final = 8
_LONGEST: Final = 64 << 10
"""Characters of a value with all names put in: each name may stand for many others."""
_STAGING: Final = "/var/lib/glance/os_glance_staging_store"
_IMAGES: Final = "/var/lib/glance/images"


@dataclass(frozen=True, slots=True)
class StoreDirectory:
    """One directory of a store; ``name`` is unique, also where a store has several."""

    name: str
    store: str
    path: bytes


@dataclass(frozen=True, slots=True)
class Settings:
    """``address`` is empty where the configuration names no database.  ``elsewhere`` are stores
    that are no directories, ``wrong`` plain sentences about options that say nothing usable."""

    address: str = field(default="", repr=False)
    stores: tuple[StoreDirectory, ...] = ()
    staging: bytes | None = None
    image_cache: bytes | None = None
    elsewhere: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


Options = Mapping[tuple[str, str], list[str]]


def read_settings(path: bytes) -> Settings:
    """Raises ``CachewrightError`` or ``OSError`` where the file cannot be read at all."""
    head, name = os.path.split(path)
    with Directory.open(head) as folder:
        content = folder.read(name, _LIMIT)
    return settings_of(content.decode("utf-8", "surrogateescape"))


def parse(text: str) -> dict[tuple[str, str], list[str]]:
    """Every option by section and name; lines that are none are passed over, as Glance would
    not start with them."""
    found: dict[tuple[str, str], list[list[str]]] = {}
    section, last = "DEFAULT", None
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare[0] in "#;":
            last = None if not bare else last
            continue
        if line[0].isspace():
            if last is not None:
                found[last][-1].append(bare)
            continue
        heading = _SECTION.fullmatch(bare)
        name, sign, value = bare.partition("=")
        if heading is not None:
            section, last = heading[1].strip(), None
        elif sign:
            last = section, name.strip()
            found.setdefault(last, []).append([value.strip().strip("\"'")])
    return {option: ["\n".join(one) for one in values] for option, values in found.items()}


def settings_of(text: str) -> Settings:
    """What the text of a configuration says."""
    said = _Said(parse(text))
    wrong: list[str] = []
    if not said.one("database", "connection"):
        wrong.append("The configuration names no database: [database] connection is missing.")
    kinds = dict(said.backends())
    directories = [one for name, kind in kinds.items() for one in said.store(name, kind, wrong)]
    elsewhere = tuple(f"{name} ({kind})" for name, kind in kinds.items() if kind != "file")
    if not directories:
        wrong.append("The configuration names no store that is a directory.")
    return Settings(
        said.one("database", "connection"),
        tuple(directories),
        said.staging(multiple=bool(said.one("DEFAULT", "enabled_backends"))),
        said.directory("DEFAULT", "image_cache_dir"),
        elsewhere,
        tuple(wrong),
    )


class _TooLong(Exception):
    """A value whose names stand for more than is put in."""


class _Said:
    """The options with names in them put in."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._known: dict[tuple[str, str, int], str] = {}

    def one(self, section: str, name: str, default: str = "") -> str:
        values = self._options.get((section, name))
        return self._filled(values[-1] if values else default, section, _DEEPEST)

    def many(self, section: str, name: str) -> list[str]:
        values = self._options.get((section, name), [])
        return [self._filled(one, section, _DEEPEST) for one in values]

    def _filled(self, value: str, section: str, depth: int) -> str:
        """With every name put in; as it stands where that would be longer than any value."""
        # A password may hold any sign: an address is left as it stands.
        if "://" in value or "$" not in value or len(value) > _LONGEST:
            return value
        left = _LONGEST

        def put_in(found: re.Match[str]) -> str:
            nonlocal left
            text = self._named(found, section, depth)
            left -= len(text)
            if left < 0:
                raise _TooLong
            return text

        try:
            return _NAMED.sub(put_in, value)
        except _TooLong:
            return value

    def _named(self, found: re.Match[str], section: str, depth: int) -> str:
        if found["money"]:
            return "$"
        name = found["braced"] or found["plain"]
        for place in (found["group"] or section, "DEFAULT"):
            values = self._options.get((place, name))
            if values and depth:
                key = place, name, depth
                if key not in self._known:
                    self._known[key] = self._filled(values[-1], place, depth - 1)
                return self._known[key]
        return found[0]

    def backends(self) -> Iterator[tuple[str, str]]:
        enabled = self.one("DEFAULT", "enabled_backends")
        for one in enabled.replace("\n", ",").split(",") if enabled else ():
            name, _, kind = one.strip().partition(":")
            if name:
                yield name, kind.strip() or "file"
        if not enabled:
            old = self.one("glance_store", "stores", "file,http")
            if "file" in {one.strip() for one in old.split(",")}:
                yield "file", "file"

    def store(self, name: str, kind: str, wrong: list[str]) -> Iterator[StoreDirectory]:
        if kind != "file":
            return
        enabled = self.one("DEFAULT", "enabled_backends")
        section = name if enabled else "glance_store"
        several = self.many(section, "filesystem_store_datadirs")
        paths = [one.rpartition(":")[0] if _has_priority(one) else one for one in several]
        single = self.one(section, "filesystem_store_datadir", "" if several else _IMAGES)
        every = [one for one in (*paths, single) if one]
        for number, path in enumerate(dict.fromkeys(every), start=1):
            absolute = _absolute(path)
            if absolute is None:
                wrong.append(f"The directory of the store {name} is no absolute path.")
            else:
                label = name if number == 1 else f"{name}.{number}"
                yield StoreDirectory(label, name, absolute)

    def directory(self, section: str, name: str, default: str = "") -> bytes | None:
        return _absolute(self.one(section, name, default))

    def staging(self, *, multiple: bool) -> bytes | None:
        if multiple:
            return self.directory("os_glance_staging_store", "filesystem_store_datadir", _STAGING)
        uri = self.one("DEFAULT", "node_staging_uri", "file:///tmp/staging/")
        return _absolute(uri.removeprefix("file://")) if uri.startswith("file://") else None


def _has_priority(value: str) -> bool:
    return value.rpartition(":")[2].strip().isdigit()


def _absolute(path: str) -> bytes | None:
    raw = os.fsencode(path.strip())
    if not posixpath.isabs(raw) or b"\0" in raw:
        return None
    return posixpath.normpath(raw)


def find_config(root: bytes) -> bytes | None:
    """The configuration file at ``root``, or in the directory ``root``; None where none is."""
    if os.path.isdir(root):
        inside = os.path.join(root, CONFIG)
        return inside if os.path.isfile(inside) else None
    if not os.path.isfile(root):
        return None
    return root if root.endswith(b".conf") else None
