"""Locks of every kind and verdict, in a cache, in a project folder and in a store."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cachewright.diagnosis.locks import of_locks
from cachewright.model import (
    Evidence,
    Holder,
    HoldVerdict,
    Identity,
    LockKind,
    LockReport,
    Says,
)

sys.path.insert(0, str(Path(__file__).parent))

HOUR = 3600 * 1_000_000_000
STATE_ID = "54dacc76-4307-835c-38da-9ae77bb5eb7c"
CODES = {
    HoldVerdict.HELD: Says.ALIVE,
    HoldVerdict.STALE: Says.DEAD,
    HoldVerdict.FREE: Says.DEAD,
    HoldVerdict.UNPROVEN: Says.UNKNOWN,
}


def ago(hours: float) -> int:
    return time.time_ns() - int(hours * HOUR)


def a_lock(
    subject: str,
    kind: LockKind = LockKind.EXISTENCE,
    verdict: HoldVerdict = HoldVerdict.UNPROVEN,
    **others: Any,
) -> LockReport:
    """A lock as core reports one; whatever is not said is made up to fit."""
    path = others.pop("path", b"/cache/" + subject.encode("utf-8", "surrogateescape"))
    record = f"{subject} {others.get('id', '')}".encode("utf-8", "surrogateescape")
    regular = 0o100600
    fields: dict[str, Any] = {
        "id": f"id-of-{subject}",
        "explanation": f"{subject} is {verdict.value}.",
        "evidence": (Evidence("owner", CODES[verdict], "What was seen of its owner."),),
        "changed_ns": ago(30),
        "identity": Identity(1, abs(hash(path)) % 10**6, others.pop("mode", regular), 90, 1, 1),
        "fingerprint": hashlib.sha256(record).hexdigest(),
    }
    return LockReport(kind=kind, path=path, verdict=verdict, subject=subject, **fields | others)


def in_a_cache(at: bytes) -> tuple[LockReport, ...]:
    """Held, stopped, free, stale and unproven, of each kind that lies in directories."""
    apply = Holder(
        30412,
        ago(0.2),
        "dev",
        "terraform apply -auto-approve",
        ("lock:write", "open:write"),
    )
    stopped = Holder(
        21877, ago(70), "ci", "/usr/bin/tofu init -upgrade", ("lock:write",), "stopped"
    )
    owner = {
        "ID": STATE_ID,
        "Operation": "OperationTypeApply",
        "Who": "dev@build-07",
        "Version": "1.11.4",
        "Created": "2026-11-20T10:02:07.525143475Z",
        "Path": "terraform.tfstate",
    }
    return (
        a_lock(
            "terraform.tfstate",
            LockKind.INFO_FILE,
            HoldVerdict.HELD,
            path=at + b"/prod/.terraform.tfstate.lock.info",
            id=STATE_ID,
            explanation="terraform apply (process 30412) holds this lock.",
            holders=(apply,),
            owner=owner,
            evidence=(
                Evidence(
                    "posix-lock",
                    Says.ALIVE,
                    "terraform apply (process 30412) holds a lock on it (POSIX).",
                ),
                Evidence("filesystem", Says.DEAD, "It lies on ext4, which only this one uses."),
            ),
            changed_ns=ago(0.2),
        ),
        a_lock(
            "hashicorp/random 3.7.1",
            LockKind.POSIX,
            HoldVerdict.HELD,
            path=at + b"/registry.terraform.io/hashicorp/random/3.7.1/linux_amd64.lock",
            explanation=(
                "tofu init (process 21877) holds this lock. A stopped process keeps its locks "
                "until it goes on or ends. Waiting for it: process 30500."
            ),
            holders=(stopped,),
            evidence=(
                Evidence(
                    "posix-lock",
                    Says.ALIVE,
                    "process 21877 holds a lock on it (POSIX).",
                ),
            ),
            changed_ns=ago(70),
        ),
        a_lock(
            "hashicorp/google 6.20.0",
            LockKind.POSIX,
            HoldVerdict.FREE,
            path=at + b"/registry.terraform.io/hashicorp/google/6.20.0/linux_amd64.lock",
            explanation="Nobody holds this. Nothing to clean.",
            evidence=(
                Evidence(
                    "posix-lock",
                    Says.DEAD,
                    "The kernel says that nobody has a POSIX or OFD lock on it.",
                ),
            ),
            changed_ns=ago(200),
        ),
        a_lock(
            "staging.tfstate",
            LockKind.INFO_FILE,
            HoldVerdict.STALE,
            path=at + b"/staging/.staging.tfstate.lock.info",
            id="0d3f1f0e-6e2b-4f4e-8a2c-2b9f4a3c7d11",
            explanation=(
                "Left behind by a program that was killed: nobody has the lock on staging.tfstate, "
                "and without it this file locks nothing."
            ),
            owner=owner | {"ID": "0d3f1f0e-6e2b-4f4e-8a2c-2b9f4a3c7d11", "Who": "ci@build-07"},
            evidence=(
                Evidence(
                    "posix-lock",
                    Says.DEAD,
                    "The kernel says that nobody has a POSIX or OFD lock on it.",
                ),
                Evidence("filesystem", Says.DEAD, "It lies on ext4, which only this one uses."),
                Evidence("info-file", Says.DEAD, "It has the name of what its tool writes."),
                Evidence("rights", Says.DEAD, "Cachewright may move it away."),
            ),
            changed_ns=ago(80),
        ),
        a_lock(
            "index.lock",
            LockKind.EXISTENCE,
            HoldVerdict.UNPROVEN,
            path=at + b"/index.lock",
            id="index.lock",
            explanation=(
                "It cannot be proven that its owner is gone. Its record names process 4711 and no "
                "start time, and such a process does not run here."
            ),
            owner={"pid": "4711"},
            evidence=(
                Evidence("known-shape", Says.DEAD, "It has the name of such a lock."),
                Evidence("filesystem", Says.DEAD, "It lies on ext4, which only this one uses."),
                Evidence("record", Says.DEAD, "Its record was read."),
                Evidence(
                    "owner",
                    Says.UNKNOWN,
                    "Its record names process 4711 and no start time, and such a process does not "
                    "run here. It may run in another container.",
                ),
                Evidence("open-files", Says.DEAD, "No process that could be asked has it open."),
                Evidence("kernel-locks", Says.DEAD, "The kernel's list of locks has none on it."),
            ),
            changed_ns=ago(0.4),
        ),
        a_lock(
            "models/bert",
            LockKind.LEASE,
            HoldVerdict.UNPROVEN,
            path=at + b"/leases.db#models/bert",
            id="worker-3",
            explanation=(
                "It cannot be proven that its owner is gone. It ran out 3 hours ago, and names "
                "another computer."
            ),
            owner={"Who": "worker-3"},
            evidence=(
                Evidence("lease", Says.DEAD, "It was renewed 4 hours ago and lasted an hour."),
                Evidence("owner", Says.UNKNOWN, "It names another computer, which is not seen."),
            ),
            identity=None,
            etag="9f2c",
            changed_ns=ago(4),
        ),
    )


def in_a_store() -> tuple[LockReport, ...]:
    """Objects and garbage: never stale, never held."""
    unknown = (
        Evidence(
            "record",
            Says.UNKNOWN,
            "It says: Operation OperationTypeApply, Who ci@build-07, Version 1.11.4, Path "
            "infra-state/prod/web.tfstate.",
        ),
        Evidence(
            "heartbeat",
            Says.UNKNOWN,
            "It has no expiry and no heartbeat: nobody can tell from it whether its owner still "
            "runs.",
        ),
        Evidence(
            "host",
            Says.UNKNOWN,
            "It names the computer build-07; this one is called desk.",
        ),
        Evidence(
            "programs",
            Says.UNKNOWN,
            "No terraform or tofu that shows runs here now; it may run on another computer.",
        ),
    )
    return (
        a_lock(
            "web.tfstate",
            LockKind.OBJECT,
            path=b"s3://infra-state/prod/web.tfstate.tflock",
            id=STATE_ID,
            explanation=(
                "ci@build-07 took this lock 3 hours ago. Whether they still work cannot be told "
                "from here: ask them."
            ),
            owner={
                "ID": STATE_ID,
                "Operation": "OperationTypeApply",
                "Who": "ci@build-07",
                "Version": "1.11.4",
                "Created": "2026-11-20T10:02:07.525143475Z",
                "Path": "infra-state/prod/web.tfstate",
            },
            evidence=unknown,
            etag='"d41d8cd98f00b204e9800998ecf8427e"',
            identity=None,
            changed_ns=ago(3),
        ),
        a_lock(
            "db.tfstate",
            LockKind.OBJECT,
            path=b"s3://infra-state/prod/db.tfstate.tflock",
            id="prod/db.tfstate.tflock",
            explanation=(
                "This lock keeps everybody out, and not even its own tool can release it: it is "
                "empty."
            ),
            evidence=(
                Evidence("record", Says.UNKNOWN, "What it says cannot be read: it is empty."),
                unknown[1],
            ),
            etag='"68b329da9893e34099c7d8ad5cb9c940"',
            identity=None,
            garbage=True,
            changed_ns=ago(90),
        ),
    )


@pytest.fixture
def make_lock() -> Callable[..., LockReport]:
    return a_lock


@pytest.fixture
def lock_script(script: Any) -> Any:
    """A cache with locks of every kind; the last lies in a store, as none would beside them."""
    stored = replace(in_a_store()[0])
    return with_locks(script, (*in_a_cache(script.root), stored))


def with_locks(script: Any, locks: Sequence[LockReport]) -> Any:
    script.locks = tuple(locks)
    others = [one for one in script.findings if one.path not in {lock.path for lock in locks}]
    script.findings = (*others, *of_locks(locks))
    return script


@pytest.fixture
def store_script(script: Any) -> Any:
    """A store of locks, which has no tree and nothing to verify."""
    made = type(script)(
        root=b"s3://infra-state/prod", title="Terraform state locks", holds_entries=False
    )
    made.notes = (
        "1 record here is no lock and is left alone: prod/web.tfstate-md5 is a digest of a state.",
    )
    return with_locks(made, in_a_store())


@pytest.fixture
def show_locks() -> Callable[[Any, Sequence[LockReport]], Any]:
    return with_locks
