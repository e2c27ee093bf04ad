"""Members of an archive as it lists them, and what makes one unfit."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from cachewright.storage.archives.limits import ArchiveLimits
from cachewright.storage.metadata import MODE_BITS

NO_FILE: Final = "a member is a link, a device or something else that is no file"

_PLAIN_FILE: Final = 0o644
_PLAIN_DIRECTORY: Final = 0o755
_DEEPEST: Final = 128
_LONGEST: Final = 4096
_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class Member:
    """One member as the archive lists it: raw name without a final ``/``, permission bits."""

    name: bytes
    directory: bool
    size: int
    mode: int


def member(name: bytes, *, directory: bool, size: int, mode: int) -> Member:
    """A member that was found harmless; ``ValueError`` says what is wrong with it.

    ``mode`` may be 0 where the archive does not tell.  Set-ID and sticky bits go, and so does
    writing for everybody; the owner must be able to read it back before it is believed.
    """
    check_name(name)
    if directory and size:
        raise ValueError("a directory entry has content")
    plain = _PLAIN_DIRECTORY if directory else _PLAIN_FILE
    permissions = (mode & MODE_BITS & ~stat.S_IWOTH) or plain
    return Member(name, directory, size, permissions | (0o700 if directory else 0o400))


def check_name(name: bytes) -> None:
    """``ValueError`` unless it leads to something below, and nowhere else, on any system."""
    components = name.split(b"/")
    if any(component in {b"", b".", b".."} for component in components):
        raise ValueError("a member's name leads out of the archive or is empty")
    if b"\\" in name or b"\0" in name:
        raise ValueError("a member's name has a backslash or a NUL in it")
    if (
        len(components) > _DEEPEST
        or len(name) > _LONGEST
        or max(map(len, components)) > _LONGEST_NAME
    ):
        raise ValueError("a member's name is too long or too deep")


def judge(members: Collection[Member], limits: ArchiveLimits) -> dict[bytes, int]:
    """Look at all members together; the mode of every directory by name, also of those that
    are only implied by names.  ``ValueError`` says why the archive is not used.

    Two names that differ in case or in how a letter is composed are two names; where a file
    system takes them for one, the second cannot be created, and nothing is overwritten.
    """
    if len(members) > limits.members:
        raise ValueError(f"it has {len(members)} members, more than {limits.members}")
    if len({one.name for one in members}) != len(members):
        raise ValueError("two members have the same name")
    directories = _directories(members, limits.members)
    if any(not one.directory and one.name in directories for one in members):
        raise ValueError("a member lies below another that is a file")
    return directories


def _directories(members: Iterable[Member], limit: int) -> dict[bytes, int]:
    modes: dict[bytes, int] = {}
    for one in members:
        parent = os.path.dirname(one.name)
        while parent and parent not in modes:
            modes[parent] = _PLAIN_DIRECTORY
            parent = os.path.dirname(parent)
        if one.directory:
            modes[one.name] = one.mode
        if len(modes) > limit:
            raise ValueError(f"it has more than {limit} directories")
    return modes
