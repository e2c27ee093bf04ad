"""Where what lies in a uv cache: buckets with their numbers, and names (glance-clcache-uv.md 3.2).

uv versions share one root: each has buckets of its own number, ``wheels-v6`` beside ``wheels-v7``,
and all of them point into ``archive-v0``.  Numbers are read, never assumed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.model import ANY_DEPTH, Gate, LockKind, Role, Rule, Type

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

TAG: Final = b"CACHEDIR.TAG"
_SIGNATURE: Final = b"Signature: 8a477f597d28d172789f06886806bc55"
ROOT_LOCK: Final = b".lock"

ARCHIVE_ID: Final = rb"[A-Za-z0-9_-]{8,64}"
"""16 characters now, 21 in old releases; random."""

ARCHIVE: Final = re.compile(rb"archive-v[0-9]{1,4}/" + ARCHIVE_ID)
_ARCHIVES: Final = rb"archive-v[0-9]{1,4}"
POINTING: Final = re.compile(rb"(wheels|sdists|built-wheels|environments)-v[0-9]{1,4}(/.*)?")
WHEELS: Final = re.compile(rb"wheels-v[0-9]{1,4}(/.*)?")

_NAMES: Final = (
    rb"archive|wheels|sdists|built-wheels|simple|interpreter|environments|builds|git|flat-index"
    rb"|python|binaries|osv"
)
BUCKET: Final = re.compile(rb"(" + _NAMES + rb")-v[0-9]{1,4}")
_STAGING: Final = re.compile(rb"\.tmp[A-Za-z0-9]{6}")
_DISTINCTIVE: Final = re.compile(rb"(archive|wheels|sdists|built-wheels)-v[0-9]{1,4}")

_DIRECTORY: Final = frozenset({Type.DIRECTORY})
_FILE: Final = frozenset({Type.FILE})
_LINK: Final = frozenset({Type.LINK})
_MADE: Final = frozenset({Type.DIRECTORY, Type.FILE, Type.LINK})

GATE: Final = Gate(LockKind.FLOCK, ROOT_LOCK, create=True)
"""Shared by every uv command for its whole life, exclusive for cleaning (3.5)."""

_REVISIONS: Final = (
    rb"(sdists|built-wheels)-v[0-9]{1,4}/(pypi/[^/]+/[^/]+|index/[^/]+/[^/]+/[^/]+"
    rb"|(url|path|editable)/[^/]+|git/[^/]+/[^/]+)(/[^/]+)?"
)


def _rule(
    depth: int, name: bytes, types: frozenset[Type], role: Role, under: bytes | None = None
) -> Rule:
    where = None if under is None else re.compile(under)
    return Rule(depth, re.compile(name, re.DOTALL), types, role, where)


def _rules() -> Iterable[Rule]:
    yield Rule(ANY_DEPTH, _STAGING, _MADE, Role.STAGING)
    yield _rule(1, rb"\.lock", _FILE, Role.LOCK)
    yield _rule(1, rb"CACHEDIR\.TAG|\.gitignore", _FILE, Role.METADATA)
    yield Rule(1, BUCKET, _DIRECTORY, Role.CONTAINER)
    yield _rule(2, ARCHIVE_ID, _DIRECTORY, Role.ENTRY, _ARCHIVES)
    yield _rule(2, ARCHIVE_ID, frozenset({Type.FILE, Type.LINK}), Role.METADATA, _ARCHIVES)
    yield from _rules_of_sources()
    yield from _rules_of_pointers()
    yield from _rules_of_git()
    yield from _rules_of_answers()


def _rules_of_sources() -> Iterable[Rule]:
    """Source distributions with the wheels that were built from them."""
    bucket = rb"(sdists|built-wheels)-v[0-9]{1,4}"
    yield _rule(2, rb"\.git|\.gitignore", _FILE, Role.METADATA, bucket)
    yield _rule(ANY_DEPTH, rb"src", _DIRECTORY, Role.METADATA, _REVISIONS)
    yield _rule(ANY_DEPTH, rb"[^/]+\.whl", _FILE, Role.ENTRY, _REVISIONS)


def _rules_of_pointers() -> Iterable[Rule]:
    """Links and pointers; on Windows a link is a text file of the same name."""
    under = POINTING.pattern
    yield _rule(ANY_DEPTH, rb".*\.lock", _FILE, Role.LOCK, under)
    yield _rule(ANY_DEPTH, rb".+", _LINK, Role.METADATA, under)
    yield _rule(ANY_DEPTH, rb".+\.(http|rev|msgpack)", _FILE, Role.METADATA, under)
    yield _rule(ANY_DEPTH, rb"[^.].*-.+|[0-9a-f]{16}", _FILE, Role.METADATA, under)
    yield _rule(ANY_DEPTH, rb"[^.].*", _DIRECTORY, Role.CONTAINER, under)


def _rules_of_git() -> Iterable[Rule]:
    bucket = rb"git-v[0-9]{1,4}"
    yield _rule(2, rb"db|checkouts|locks", _DIRECTORY, Role.CONTAINER, bucket)
    yield _rule(3, rb"[^.].*", _FILE, Role.LOCK, bucket + rb"/locks")
    yield _rule(3, rb"[^.].*", _DIRECTORY, Role.METADATA, bucket + rb"/db")
    yield _rule(3, rb"[^.].*", _DIRECTORY, Role.CONTAINER, bucket + rb"/checkouts")
    yield _rule(4, rb"[^.].*", _DIRECTORY, Role.METADATA, bucket + rb"/checkouts/[^/]+")
    yield _rule(4, rb"[^.].*\.ok", _FILE, Role.METADATA, bucket + rb"/checkouts/[^/]+")


def _rules_of_answers() -> Iterable[Rule]:
    """What was asked of indexes and interpreters, and downloaded tools: no digests at all."""
    answers = rb"(simple|interpreter|flat-index|osv)-v[0-9]{1,4}(/.*)?"
    yield _rule(ANY_DEPTH, rb".*\.lock", _FILE, Role.LOCK, answers)
    yield _rule(ANY_DEPTH, rb"[^.].*", _FILE, Role.METADATA, answers)
    yield _rule(ANY_DEPTH, rb"[^.].*", _DIRECTORY, Role.CONTAINER, answers)
    downloads = rb"(python|binaries)-v[0-9]{1,4}"
    yield _rule(2, rb".*\.lock", _FILE, Role.LOCK, downloads)
    yield _rule(2, rb".+", frozenset(Type) - {Type.OTHER}, Role.METADATA, downloads)


RULES: Final = tuple(_rules())


def looks_like_cache(root: Directory) -> bool:
    """The tag every cache has and a bucket only uv makes; or both kinds of bucket without the
    tag; or nothing but the lock that ``uv cache clean`` leaves."""
    names = root.names()
    buckets = [name for name in names if BUCKET.fullmatch(name) and _is_directory(root, name)]
    if TAG in names and buckets and _has_signature(root):
        return True
    if any(name.startswith(b"archive-") for name in buckets):
        return sum(_DISTINCTIVE.fullmatch(name) is not None for name in buckets) > 1
    return names == [ROOT_LOCK] and _is_cleaned_lock(root)


def _is_directory(root: Directory, name: bytes) -> bool:
    try:
        return stat.S_ISDIR(root.stat(name).st_mode)
    except OSError:
        return False


def _has_signature(root: Directory) -> bool:
    try:
        return root.read(TAG, 4096).startswith(_SIGNATURE)
    except (CachewrightError, OSError):
        return False


def _is_cleaned_lock(root: Directory) -> bool:
    """Empty and writable for everybody whatever the umask, as uv makes it."""
    try:
        found = root.stat(ROOT_LOCK)
    except OSError:
        return False
    everybody = 0o666
    return (
        stat.S_ISREG(found.st_mode)
        and found.st_size == 0
        and stat.S_IMODE(found.st_mode) == everybody
    )


def customary_places(environment: Mapping[str, str]) -> Iterable[bytes]:
    """Where uv looks: its own variable, else the customary places of each system (3.1)."""
    own = environment.get("UV_CACHE_DIR")
    if own:
        yield os.fsencode(own)
    home = environment.get("HOME")
    base = environment.get("XDG_CACHE_HOME")
    if base and os.path.isabs(base):
        yield os.path.join(os.fsencode(base), b"uv")
    elif home:
        yield os.path.join(os.fsencode(home), b".cache/uv")
    if home:
        yield os.path.join(os.fsencode(home), b"Library/Caches/uv")
    windows = environment.get("LOCALAPPDATA")
    if windows:
        yield os.path.join(os.fsencode(windows), b"uv", b"cache")
