"""Where Terraform and OpenTofu keep state locks that are no files: S3 objects, DynamoDB items.

This file knows their names and records; the wires are ``locks.s3`` and ``locks.dynamodb``
(terraform.md 4.2, 4.3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cachewright.errors import AddressInvalid
from cachewright.formats.terraform_lock_info import LIMIT, PROGRAMS, parse
from cachewright.locks.dynamodb import TableStore
from cachewright.locks.s3 import S3Store
from cachewright.locks.store import LockStore, Stored
from cachewright.model import Access, Claim
from cachewright.text import display

SCHEMES: Final = frozenset({"s3", "dynamodb"})
SUFFIX: Final = ".tflock"
WORKSPACES: Final = "env:"
"""What the names of other workspaces' states begin with, unless ``workspace_key_prefix`` says
otherwise."""

_ELSEWHERE: Final = (
    f"Locks of other workspaces lie below {WORKSPACES}/ (or the workspace_key_prefix): "
    "open the whole bucket to see them too."
)


def open_store(address: str, access: Access) -> LockStore:
    """The state locks below ``s3://bucket/prefix`` or in ``dynamodb://table``; asks nobody yet.

    Raises ``AddressInvalid`` and, without boto3, ``ExtraMissing``.
    """
    scheme = address.partition("://")[0]
    if scheme == "dynamodb":
        return TableStore(address, access, claim_of_item)
    if scheme == "s3":
        bucket = address.removeprefix("s3://").partition("/")[0]
        return S3Store(
            address,
            access,
            lambda stored: claim_of_object(bucket, stored),
            suffix=SUFFIX,
            note_below=_ELSEWHERE,
        )
    raise AddressInvalid(path=address, reason="no state locks are kept there")


def claim_of_object(bucket: str, stored: Stored) -> Claim:
    """What a ``.tflock`` object says; its state has the same name without the suffix."""
    return _claim(stored, f"{bucket}/{stored.key.removesuffix(SUFFIX)}")


def claim_of_item(stored: Stored) -> Claim:
    """What an item's ``Info`` says; its ``LockID`` is the state's ``bucket/key``."""
    return _claim(stored, stored.key)


def _claim(stored: Stored, state: str) -> Claim:
    if stored.size > len(stored.body):
        garbage = f"It is larger than {LIMIT >> 10} KiB, which no lock is."
        found = Claim(garbage=garbage, programs=PROGRAMS)
    else:
        found = parse(stored.body)
    return replace(found, subject=_subject(state))


def _subject(state: str) -> str:
    """In words, with the workspace where the name tells it."""
    _bucket, _, key = state.partition("/")
    first, _, rest = key.partition("/")
    workspace = rest.partition("/")[0] if first == WORKSPACES else ""
    shown = f"State {display(state)}"
    return f"{shown}, workspace {display(workspace)}" if workspace else shown
