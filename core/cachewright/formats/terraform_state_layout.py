"""Where the local backend keeps state, its lock and what the lock says (terraform.md 4.1).

``FOLDER/NAME`` is a state file; the lock is a POSIX lock on it, and ``FOLDER/.NAME.lock.info``
(without a second dot where NAME begins with one) lies beside it while it is locked.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cachewright.formats.base import Role, Rule, Type
from cachewright.model import QUARANTINE_NAME

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory

STATE: Final = b"terraform.tfstate"
WORKSPACES: Final = b"terraform.tfstate.d"
DATA: Final = b".terraform"
LOCK_FILE: Final = b".terraform.lock.hcl"

CONFIGURATIONS: Final = (b".tf", b".tf.json", b".tofu", b".tofu.json")

_INFO: Final = re.compile(rb"\.(.+)\.lock\.info", re.DOTALL)

_DEEPEST: Final = 16
"""Projects nest their working directories a few levels deep; what lies deeper is not theirs."""

_NOT_ENTERED: Final = re.compile(
    rb"\.terraform|\.terragrunt-cache|\.git|\.hg|\.svn|node_modules|\.venv|__pycache__|"
    + re.escape(QUARANTINE_NAME)
)
"""Directories with other people's files in their hundreds of thousands: nobody's state."""

_ANYTHING: Final = re.compile(rb".*", re.DOTALL)
_DIRECTORY: Final = frozenset({Type.DIRECTORY})
_EVERY: Final = frozenset(Type)


def _rules() -> Iterator[Rule]:
    for depth in range(1, _DEEPEST + 1):
        yield Rule(depth, _INFO, _EVERY - _DIRECTORY, Role.LOCK)
        yield Rule(depth, _NOT_ENTERED, _DIRECTORY, Role.METADATA)
        if depth < _DEEPEST:
            yield Rule(depth, _ANYTHING, _DIRECTORY, Role.CONTAINER)
        # Nothing in a person's own folder is foreign.
        yield Rule(depth, _ANYTHING, _EVERY, Role.METADATA)


RULES: Final = tuple(_rules())


def info_name(state: bytes) -> bytes:
    """The name of the info file that lies beside the state file of this name."""
    return b"." + state.removeprefix(b".") + b".lock.info"


def states_of(info: bytes) -> tuple[bytes, ...]:
    """The names of state files that an info file of this name may speak of."""
    fitting = _INFO.fullmatch(info)
    return () if fitting is None else (fitting[1], b"." + fitting[1])


_NAMES_READ: Final = 4096


def looks_like_project(root: Directory) -> bool:
    """Whether a working directory of Terraform or OpenTofu begins here; reads names only.

    A home directory and the top of the file tree are none, whatever was left in them: all that
    belongs to somebody lies there.
    """
    if _is_home(root):
        return False
    with os.scandir(root.fd) as found:
        return any(map(_is_sign, itertools.islice(found, _NAMES_READ)))


def _is_sign(entry: os.DirEntry[str]) -> bool:
    name = os.fsencode(entry.name)
    if name in {DATA, WORKSPACES}:
        return entry.is_dir(follow_symlinks=False)
    known = name in {STATE, LOCK_FILE} or name.endswith(CONFIGURATIONS) or _INFO.fullmatch(name)
    return bool(known) and not entry.is_dir(follow_symlinks=False)


def _is_home(root: Directory) -> bool:
    homes = {b"/", os.path.realpath(os.fsencode(os.path.expanduser("~")))}
    return root.path in homes
