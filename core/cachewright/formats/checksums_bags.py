"""BagIt bags (RFC 8493): manifests, what they must name, and what is still to be fetched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cachewright.formats.checksums_claims import Claim, Claims, read_settled
from cachewright.formats.checksums_lists import (
    DIGITS,
    TROUBLES,
    Trouble,
    algorithm_named,
    spelled,
    too_many,
)
from cachewright.formats.checksums_places import (
    BAG,
    BAG_INFO,
    FETCH,
    MANIFEST,
    PAYLOAD,
    joined,
    resolved,
)
from cachewright.text import brief, display

if TYPE_CHECKING:
    from cachewright.formats.checksums_claims import Names
    from cachewright.storage.anchored import Directory

_LINE: Final = re.compile(rb"([0-9A-Fa-f]+)[ \t]+\*?(.+)", re.DOTALL)
_ENCODED: Final = re.compile(rb"%(0[AaDd]|25)")
_OXUM: Final = re.compile(rb"(?im)^Payload-Oxum[ \t]*:[ \t]*([0-9]{1,20})\.([0-9]{1,20})[ \t]*\r?$")
_VERSION: Final = re.compile(rb"(?i)^BagIt-Version[ \t]*:[ \t]*[0-9]+\.[0-9]+")
_FETCHED: Final = re.compile(rb"(\S+)[ \t]+([0-9]{1,20}|-)[ \t]+(.+)", re.DOTALL)
_SMALL: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"
_URL_SHOWN: Final = 80


@dataclass(slots=True)
class Bag:
    """One bag; ``directory`` is its path below the root.  ``manifests`` are those of its payload
    with the paths that each names; ``to_fetch`` maps a path to where it is to be got."""

    directory: bytes
    manifests: dict[bytes, set[bytes]] = field(default_factory=dict)
    to_fetch: dict[bytes, str] = field(default_factory=dict)
    oxum: tuple[int, int] | None = None
    troubles: list[str] = field(default_factory=list)

    @property
    def payload(self) -> bytes:
        return joined(self.directory, PAYLOAD)

    def named(self) -> set[bytes]:
        """Every payload file that some manifest names."""
        return set().union(*self.manifests.values())


def is_declaration(content: bytes) -> bool:
    """Whether this is what ``bagit.txt`` holds in a bag."""
    return _VERSION.match(content.removeprefix(_BOM)) is not None


def read_bags(root: Directory, names: Names, rows: list[int]) -> tuple[list[Bag], Claims]:
    """Every bag of the tree, and what their manifests claim."""
    tree, claims = names.tree, Claims()
    found = [row for row in rows if tree.name(row) == BAG]
    bags: list[Bag] = []
    for row in found:
        directory = os.path.dirname(tree.path(row))
        content, about = read_settled(root, tree.path(row), _SMALL)
        if content is None:
            claims.lists.append(about)
        elif is_declaration(content):
            bags.append(_read_bag(root, names, Bag(directory), int(tree.parent[row]), claims))
    return bags, claims


def _read_bag(root: Directory, names: Names, bag: Bag, row: int, claims: Claims) -> Bag:
    tree = names.tree
    beside = sorted(tree.name(one) for one in tree.children(row) if tree.is_file(one))
    for name in beside:
        if MANIFEST.fullmatch(name):
            _read_manifest(root, names, bag, name, claims)
    if BAG_INFO in beside:
        content, _about = read_settled(root, joined(bag.directory, BAG_INFO), _SMALL)
        if found := _OXUM.search(content or b""):
            bag.oxum = (int(found[1]), int(found[2]))
    if FETCH in beside:
        _read_fetch(root, names, bag, claims)
    if not bag.manifests:
        bag.troubles.append("It has no manifest, so nothing in it can be compared.")
    return bag


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(content.removeprefix(_BOM).split(b"\n"), 1):
        text = line.removesuffix(b"\r")
        if text.strip():
            yield number, text


def _read_manifest(root: Directory, names: Names, bag: Bag, name: bytes, claims: Claims) -> None:
    relative = joined(bag.directory, name)
    content, about = read_settled(root, relative)
    claims.lists.append(about)
    kind = MANIFEST.fullmatch(name)
    if content is None or kind is None:
        return
    algorithm = algorithm_named(kind["word"].decode("ascii"))
    if algorithm is None:
        about.unread = f"{display(kind['word'])} cannot be computed here"
        return
    paths: set[bytes] = set()
    if not kind["tags"]:
        bag.manifests[relative] = paths
    about.ends = not content or content.endswith(b"\n")
    for number, text in _lines(content):
        if len(about.troubles) >= TROUBLES:
            about.stopped = too_many(number)
            break
        path, value, why = _claimed(names, bag, text, algorithm, tags=bool(kind["tags"]))
        if why:
            about.troubles.append(Trouble(number, why))
            continue
        paths.add(path)
        claims.add(about, path, Claim(algorithm, value, relative, number))


def _claimed(
    names: Names, bag: Bag, text: bytes, algorithm: str, *, tags: bool
) -> tuple[bytes, str, str]:
    """Path below the root and digest of one manifest line, or why it has none."""
    found = _LINE.fullmatch(text)
    if found is None or b"\0" in text:
        return b"", "", f"is no manifest line ({brief(text, 40)})"
    if len(found[1]) != DIGITS[algorithm]:
        return b"", "", f"has a digest that is none of {spelled(algorithm)}"
    path, why = _inside(names, bag, found[2])
    in_payload = path.startswith(bag.payload + b"/")
    if not why and in_payload == tags:
        why = "names a payload file" if tags else "names a file that is no payload"
    return path, found[1].decode("ascii").lower(), why


def _inside(names: Names, bag: Bag, name: bytes) -> tuple[bytes, str]:
    """Where a name in a bag lies; unlike a list's, it never leads out of the bag.

    Not every tool encodes the percent sign itself, so a file that has the very name goes first.
    """
    path, why = resolved(b"", name)
    if not why and not names.exists(joined(bag.directory, path)):
        plain = _ENCODED.sub(lambda one: bytes.fromhex(one[1].decode("ascii")), name)
        path, why = resolved(b"", plain)
    return (joined(bag.directory, path), "") if not why else (b"", why)


def _read_fetch(root: Directory, names: Names, bag: Bag, claims: Claims) -> None:
    content, about = read_settled(root, joined(bag.directory, FETCH))
    claims.lists.append(about)
    about.lines = 1  # no checksums are expected of it
    for number, text in _lines(content or b""):
        if len(about.troubles) >= TROUBLES:
            about.stopped = too_many(number)
            break
        found = _FETCHED.fullmatch(text)
        path, why = _inside(names, bag, found[3]) if found else (b"", "is no line of a fetch list")
        if why or found is None:
            about.troubles.append(Trouble(number, why))
        else:
            bag.to_fetch[path] = brief(found[1], _URL_SHOWN)
