"""Where things lie in a provider cache or mirror: patterns by depth (terraform.md 1.2, 5).

``HOST/NAMESPACE/TYPE/VERSION/OS_ARCH`` below the root.  Terraform follows a link in the last
place only, so a link higher up is foreign.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.formats.base import Role, Rule, Type

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

_VERSION: Final = rb"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_PLATFORM: Final = rb"[a-z0-9]+_[a-z0-9]+"

_LABEL: Final = rb"(?!xn--)[0-9a-z\x80-\xff](?:[0-9a-z\x80-\xff-]*[0-9a-z\x80-\xff])?"
_HOST: Final = _LABEL + rb"(?:\." + _LABEL + rb")*(?::[0-9]{1,5})?"
_PART: Final = rb"(?![^/]*--)[0-9a-z\x80-\xff](?:[0-9a-z_\x80-\xff-]*[0-9a-z\x80-\xff])?"

HOST: Final = re.compile(_HOST)
PART: Final = re.compile(_PART)
ADDRESS: Final = re.compile(_HOST + rb"/" + _PART + rb"/" + _PART)
VERSION: Final = re.compile(_VERSION)
PLATFORM: Final = re.compile(_PLATFORM)
PLATFORM_LOCK: Final = re.compile(_PLATFORM + rb"\.lock")
STAGING: Final = re.compile(rb"\.temp[0-9]+|\.terraform-temp-[0-9]+")
ARCHIVE_STAGING: Final = re.compile(rb"\.terraform-provider-.*\.zip", re.DOTALL)
MIRROR_FILE: Final = re.compile(rb"[^.].*\.zip|index\.json|" + _VERSION + rb"\.json", re.DOTALL)
ARCHIVE: Final = re.compile(
    rb"terraform-provider-(?P<kind>.+)_(?P<version>" + _VERSION + rb")_"
    rb"(?P<platform>" + _PLATFORM + rb")\.zip"
)

_DIRECTORY: Final = frozenset({Type.DIRECTORY})
_FILE: Final = frozenset({Type.FILE})
_ANY: Final = frozenset({Type.DIRECTORY, Type.FILE, Type.LINK})

ENTRY_OR_STAGING: Final = re.compile(_PLATFORM + rb"|" + STAGING.pattern)

ENTRY_DEPTH: Final = 5

RULES: Final = (
    Rule(1, HOST, _DIRECTORY, Role.CONTAINER),
    Rule(2, PART, _DIRECTORY, Role.CONTAINER),
    Rule(3, PART, _DIRECTORY, Role.CONTAINER),
    Rule(4, VERSION, _DIRECTORY, Role.CONTAINER),
    Rule(4, ARCHIVE_STAGING, _FILE, Role.STAGING),
    Rule(4, MIRROR_FILE, _FILE, Role.METADATA),
    Rule(5, PLATFORM_LOCK, _FILE, Role.LOCK),
    Rule(5, STAGING, _DIRECTORY, Role.STAGING),
    # A file here is told of: terraform stumbles over it for ever.
    Rule(5, PLATFORM, _ANY, Role.ENTRY),
)


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One provider version for one platform; ``address`` is ``HOST/NAMESPACE/TYPE``."""

    address: bytes
    version: bytes
    platform: bytes

    @classmethod
    def of(cls, relative: bytes) -> Package:
        """From an entry's path below its root."""
        address, version, platform = relative.rsplit(b"/", 2)
        return cls(address, version, platform)

    @property
    def release(self) -> Release:
        return Release(self.address, self.version)

    @property
    def kind(self) -> bytes:
        """The provider's type: the address's last part."""
        return self.address.rpartition(b"/")[2]

    @property
    def relative(self) -> bytes:
        return b"/".join((self.address, self.version, self.platform))


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """A provider version, which is what a lock file's block speaks of: no platform."""

    address: bytes
    version: bytes

    def on(self, platform: bytes) -> Package:
        return Package(self.address, self.version, platform)


def executable(names: Iterable[bytes], kind: bytes) -> bytes | None:
    """The file terraform starts: the first name at the top, bytewise, that is
    ``terraform-provider-TYPE`` alone or followed by ``_`` or ``.`` (``ExecutableFile``)."""
    wanted = b"terraform-provider-" + kind
    fitting = (
        name
        for name in names
        if b"/" not in name
        and name.startswith(wanted)
        and name[len(wanted) : len(wanted) + 1] in {b"", b"_", b"."}
    )
    return min(fitting, default=None)


_NAMES_READ: Final = 4096
_NAMES_FOLLOWED: Final = 48
_VERSIONS_LOOKED_AT: Final = 512


def _some(directory: Directory, pattern: re.Pattern[bytes]) -> list[bytes]:
    with os.scandir(directory.fd) as found:
        names = (os.fsencode(entry.name) for entry in itertools.islice(found, _NAMES_READ))
        return sorted(name for name in names if pattern.fullmatch(name))[:_NAMES_FOLLOWED]


def _plausible_host(name: bytes) -> bool:
    return b"." in name or b":" in name or name == b"localhost"


def _versions(root: Directory) -> Iterator[bytes]:
    """Paths of version directories, without looking at more than some dozens per level."""
    waiting = [(b"", 0)]
    patterns = (HOST, PART, PART, VERSION)
    while waiting:
        relative, depth = waiting.pop()
        if depth == len(patterns):
            yield relative
            continue
        try:
            with root.open_directory(relative) as opened:
                names = _some(opened, patterns[depth])
        except (OSError, CachewrightError):
            continue
        if depth == 0:
            names = [name for name in names if _plausible_host(name)]
        below = relative + b"/" if relative else b""
        waiting.extend((below + name, depth + 1) for name in reversed(names))


def looks_like_cache(root: Directory, wanted: re.Pattern[bytes], *, or_empty: bool = False) -> bool:
    """Whether some version directory holds a name that ``wanted`` fits, or (``or_empty``)
    nothing at all, as when its last entry was moved to quarantine: a bounded look that never
    raises on strange content.  An empty root is no cache."""
    for relative in itertools.islice(_versions(root), _VERSIONS_LOOKED_AT):
        try:
            with root.open_directory(relative) as opened:
                if _some(opened, wanted) or (or_empty and not os.listdir(opened.fd)):
                    return True
        except (OSError, CachewrightError):
            continue
    return False
