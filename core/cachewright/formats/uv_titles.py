"""What a person calls an entry of a uv cache: package, version and tags."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.uv_references import Reference
    from cachewright.inventory.tree import Tree

DIST_INFO: Final = b".dist-info"
_ENVIRONMENT_MARK: Final = b"pyvenv.cfg"
_PYTHON: Final = re.compile(rb"python[0-9.]+t?")
_REVISION: Final = re.compile(
    rb"(sdists|built-wheels)-v[0-9]+/(pypi|index/[^/]+)/(?P<name>[^/]+)/(?P<version>[^/]+)/revision"
)
_TAGS: Final = 3
_SHOWN: Final = 3


class Kind(Enum):
    """What an entry is: an unpacked wheel, a tool's environment, or a wheel file built here."""

    WHEEL = "wheel"
    ENVIRONMENT = "environment"
    BUILT = "built"


@dataclass(frozen=True, slots=True)
class Form:
    """``infos`` are the ``.dist-info`` directories, relative to the entry, sorted."""

    kind: Kind
    infos: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Called:
    """An entry's name (see ``Entry``), title and subtitle."""

    name: str
    title: str
    subtitle: str


def form_of(tree: Tree, row: int) -> Form:
    """Seen from names alone."""
    if tree.is_file(row):
        return Form(Kind.BUILT)
    names = tree.names(tree.children(row))
    infos = tuple(sorted(name for name in names if name.endswith(DIST_INFO)))
    if infos or _ENVIRONMENT_MARK not in names:
        return Form(Kind.WHEEL, infos)
    return Form(Kind.ENVIRONMENT, tuple(sorted(_installed(tree, row))))


def _installed(tree: Tree, row: int) -> list[bytes]:
    found = []
    for place in _site_packages(tree, row):
        at = _below(tree, row, place)
        if at is not None:
            names = tree.names(tree.children(at))
            found += [place + b"/" + name for name in names if name.endswith(DIST_INFO)]
    return found


def _site_packages(tree: Tree, row: int) -> list[bytes]:
    places = [b"Lib/site-packages"]
    library = _below(tree, row, b"lib")
    if library is not None:
        names = tree.names(tree.children(library))
        places += [b"lib/" + name + b"/site-packages" for name in names if _PYTHON.fullmatch(name)]
    return places


def _below(tree: Tree, row: int, relative: bytes) -> int | None:
    """The row of what lies there, if it is a directory and no link leads to it."""
    for component in relative.split(b"/"):
        names = tree.names(tree.children(row))
        if component not in names:
            return None
        row = tree.children(row)[names.index(component)]
    return row if tree.is_directory(row) else None


def called(relative: bytes, form: Form, references: Sequence[Reference]) -> Called:
    """By what it holds; else by what refers to it; else by its place alone."""
    identifier = display(os.path.basename(relative))
    if form.kind is Kind.BUILT:
        return _built(relative)
    if form.kind is Kind.ENVIRONMENT:
        packages = [release(info) for info in form.infos]
        shown = ", ".join(packages[:_SHOWN]) or "nothing installed"
        more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
        return Called(f"environment/{identifier}", f"Environment: {shown}{more}", identifier)
    tags = [text for one in references if (text := _tags(one))]
    subtitle = " · ".join((*dict.fromkeys(tags), identifier))
    if len(form.infos) == 1:
        stem = display(form.infos[0].removesuffix(DIST_INFO))
        return Called(f"{stem}/{identifier}", release(form.infos[0]), subtitle)
    for one in references:
        if one.package:
            package, version = display(one.package), display(one.version)
            return Called(f"{package}-{version}/{identifier}", f"{package} {version}", subtitle)
    return Called(display(relative), f"Unknown archive {identifier}", display(relative))


def release(info: bytes) -> str:
    """``requests 2.34.2`` for ``requests-2.34.2.dist-info``."""
    stem = os.path.basename(info).removesuffix(DIST_INFO)
    name, separator, version = stem.rpartition(b"-")
    if not separator:
        return display(stem)
    return f"{display(name.replace(b'_', b'-'))} {display(version)}"


def of_reference(one: Reference) -> str:
    """The package and version that a link or pointer is about."""
    revision = _REVISION.fullmatch(one.stem)
    if revision:
        return display(revision["name"] + b" " + revision["version"])
    if one.is_environment or not one.package:
        return display(one.stem)
    return f"{display(one.package.replace(b'_', b'-'))} {display(one.version)}"


def _tags(one: Reference) -> str:
    for pointer in one.pointers.values():
        parts = pointer.filename.removesuffix(".whl").split("-")
        if len(parts) > _TAGS:
            return display("-".join(parts[-_TAGS:]))
    parts = os.path.basename(one.stem).decode("utf-8", "surrogateescape").split("-")
    return display("-".join(parts[-_TAGS:])) if len(parts) > _TAGS else ""


def _built(relative: bytes) -> Called:
    folder, name = os.path.split(relative)
    parts = name.removesuffix(b".whl").split(b"-")
    title = display(b" ".join((parts[0].replace(b"_", b"-"), *parts[1:2])))
    tags = display(b"-".join(parts[-_TAGS:])) if len(parts) > _TAGS else ""
    at = display(os.path.basename(folder))
    subtitle = " · ".join(one for one in ("wheel built here", tags, at) if one)
    return Called(f"{display(name)}/{at}", title, subtitle)
