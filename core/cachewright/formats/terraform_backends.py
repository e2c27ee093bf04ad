"""Backends of Terraform and OpenTofu whose locks Cachewright cannot show yet: what each one's
lock is, and what the tools' own ``force-unlock`` does to it (terraform.md 4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NOT_YET: Final = "Cachewright does not support it yet."

_SAID: Final = {
    "gcs": (
        "The gcs backend locks with an object WORKSPACE.tflock beside the state, which it makes "
        "only if there is none; the lock ID is the object's generation, and force-unlock deletes "
        f"exactly that generation. {_NOT_YET}"
    ),
    "azurerm": (
        "The azurerm backend locks with an endless lease on the state's blob, and keeps what the "
        "lock says in the blob's metadata; the lock ID is the lease's, by which "
        f"force-unlock releases it. {_NOT_YET}"
    ),
    "consul": (
        "The consul backend locks with a session on the key PATH/.lock, and keeps what the lock "
        "says in PATH/.lockinfo; the lock ID is the session's, and force-unlock destroys that "
        f"session. {_NOT_YET}"
    ),
    "pg": (
        "The pg backend locks with an advisory lock of PostgreSQL, which ends with its holder's "
        "connection and says nothing of its holder; force-unlock prints success and does "
        f"nothing. {_NOT_YET}"
    ),
    "kubernetes": (
        "The kubernetes backend locks with a Lease object that names the lock ID as its holder, "
        "and keeps what the lock says in an annotation; force-unlock clears its holder. "
        f"{_NOT_YET}"
    ),
    "http": (
        "The http backend asks its server to lock and to unlock; what a lock is and how it ends "
        f"is the server's own affair. {_NOT_YET}"
    ),
    "cos": (
        "The cos backend locks with an object beside the state whose name ends in .tflock; "
        f"force-unlock deletes it. {_NOT_YET}"
    ),
    "oss": (
        "The oss backend locks with a row of a Tablestore table, LockID being the state's path; "
        f"force-unlock deletes it. {_NOT_YET}"
    ),
    "remote": (
        "The remote backend keeps state and locks on a server that runs the workspace, which "
        f"shows who locked it and unlocks it itself. {_NOT_YET}"
    ),
    "cloud": (
        "With a cloud block, state and locks are kept on a server that runs the workspace, which "
        f"shows who locked it and unlocks it itself. {_NOT_YET}"
    ),
}

SENTENCES: Final[Mapping[str, str]] = MappingProxyType(_SAID)
"""By the name that a ``backend`` block has; one or two plain sentences each."""
