"""Where things lie in a clcache directory, and what its keys look like.

``manifests/XX/<hash>.json`` and ``objects/XX/<hash>/`` below the root, where ``XX`` are the first
two digits of the hash; ``stats.txt`` and ``config.txt`` beside them (glance-clcache-uv.md 2.1).
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.formats.base import Role, Rule, Type
from cachewright.strict_json import JsonRefused, read

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

MANIFESTS: Final = b"manifests"
OBJECTS: Final = b"objects"
STATISTICS: Final = b"stats.txt"
CONFIGURATION: Final = b"config.txt"

OBJECT: Final = b"object"
OUTPUT: Final = b"output.txt"
ERRORS: Final = b"stderr.txt"
HALF_COPIED: Final = b"object.tmp"
FILES: Final = frozenset({OBJECT, OUTPUT, ERRORS, HALF_COPIED})

_KEY: Final = rb"[0-9a-f]{32}"
_TEMPORARY: Final = rb"tmp[a-z0-9_]{8}"
KEY: Final = re.compile(_KEY)
_SECTION: Final = re.compile(rb"[0-9a-f]{2}")
_MANIFEST: Final = re.compile(_KEY + rb"\.json")
_NEW_ENTRY: Final = re.compile(_KEY + rb"\.new")

_DIRECTORY: Final = frozenset({Type.DIRECTORY})
_FILE: Final = frozenset({Type.FILE})
_IN_MANIFESTS: Final = re.compile(MANIFESTS + rb"/[0-9a-f]{2}")
_IN_OBJECTS: Final = re.compile(OBJECTS + rb"/[0-9a-f]{2}")

RULES: Final = (
    Rule(1, re.compile(MANIFESTS + rb"|" + OBJECTS), _DIRECTORY, Role.CONTAINER),
    Rule(1, re.compile(rb"(?:stats|config)\.txt"), _FILE, Role.METADATA),
    Rule(1, re.compile(rb"(?:stats|config)\.txt\.new|" + _TEMPORARY), _FILE, Role.STAGING),
    Rule(2, _SECTION, _DIRECTORY, Role.CONTAINER),
    # A file here is told of: clcache takes it for an entry, and fails over it for ever.
    Rule(3, KEY, _DIRECTORY | _FILE, Role.ENTRY, _IN_OBJECTS),
    Rule(3, _NEW_ENTRY, _DIRECTORY, Role.STAGING, _IN_OBJECTS),
    Rule(3, _MANIFEST, _FILE, Role.METADATA, _IN_MANIFESTS),
    Rule(3, re.compile(rb"[0-9a-f]+\.json\.new|" + _TEMPORARY), _FILE, Role.STAGING, _IN_MANIFESTS),
)

_RESIDUE: Final = re.compile(rb"(?:stats|config)\.txt(?:\.new)?|" + _TEMPORARY)
_SECTIONS_LOOKED_AT: Final = 32
_RECORD_READ: Final = 64 << 10
_SHAPES: Final = {STATISTICS: {"CacheEntries", "CacheSize"}, CONFIGURATION: {"MaximumCacheSize"}}


def looks_like_cache(root: Directory) -> bool:
    """Whether both trees are there, with a key in its section or a record of clcache's shape; or
    with emptied sections and nothing else."""
    try:
        names = set(root.names())
        if not {MANIFESTS, OBJECTS} <= names:
            return False
        return (
            _holds(root, OBJECTS, (KEY, _NEW_ENTRY))
            or _holds(root, MANIFESTS, (_MANIFEST,))
            or any(_has_shape(root, name, shape) for name, shape in _SHAPES.items())
            or _is_emptied(root, names)
        )
    except (OSError, CachewrightError):
        return False


def _holds(root: Directory, tree: bytes, patterns: tuple[re.Pattern[bytes], ...]) -> bool:
    """Whether a section holds a name that fits it; ``OSError`` where the tree is none."""
    sections = [name for name in root.names(tree) if _SECTION.fullmatch(name)]
    return any(
        name[:2] == section and any(one.fullmatch(name) for one in patterns)
        for section in sections[:_SECTIONS_LOOKED_AT]
        for name in root.names(tree + b"/" + section)
    )


def _is_emptied(root: Directory, names: set[bytes]) -> bool:
    if not all(map(_RESIDUE.fullmatch, names - {MANIFESTS, OBJECTS})):
        return False
    sections = [(tree, name) for tree in (MANIFESTS, OBJECTS) for name in root.names(tree)]
    return bool(sections) and all(
        _SECTION.fullmatch(name) and not root.names(tree + b"/" + name) for tree, name in sections
    )


def _has_shape(root: Directory, name: bytes, keys: set[str]) -> bool:
    try:
        record = read(root.read(name, _RECORD_READ), _RECORD_READ)
    except (OSError, CachewrightError, JsonRefused):
        return False
    return isinstance(record, dict) and keys <= record.keys()


def direct_key(manifest: str, includes: str) -> str:
    """The key of the object that a manifest names for one content of its includes
    (glance-clcache-uv.md 2.2)."""
    return hashlib.md5((manifest + includes).encode(), usedforsecurity=False).hexdigest()
