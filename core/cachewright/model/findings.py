"""What a check tells: findings, and reports on entries, locks and staging places."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cachewright.model.evidence import Digest, Evidence, ExpectedDigest, Gap, Holder, Identity
from cachewright.model.verdicts import (
    Confirm,
    EntryVerdict,
    FindingKind,
    HoldVerdict,
    LockKind,
    Severity,
    StepKind,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class RepairOffer:
    """A repair that a finding allows.

    ``source`` is the path of the good copy for ``republish-entry``; ``detail`` is what the
    format needs to carry the step out (JSON values only).  ``typed`` is what must be typed
    where that is not the finding's subject: a lock's ID.
    """

    step: StepKind
    confirm: Confirm
    why: str
    source: bytes | None = None
    detail: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Subject + verdict + evidence + the repairs that are offered, the best first.

    ``path`` is absolute; ``files`` are relative to the entry.  ``expected`` and ``actual`` are
    filled where digests were compared.
    """

    kind: FindingKind
    severity: Severity
    verdict: Verdict
    subject: str
    path: bytes
    explanation: str
    files: tuple[bytes, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    repairs: tuple[RepairOffer, ...] = ()
    holders: tuple[Holder, ...] = ()
    expected: tuple[ExpectedDigest, ...] = ()
    actual: tuple[Digest, ...] = ()
    size: int = 0
    changed_ns: int = 0

    @property
    def id(self) -> str:
        """Stable over runs: the same trouble at the same place has the same ID."""
        text = b"\0".join([self.kind.value.encode(), self.path, b"\n".join(sorted(self.files))])
        return hashlib.sha256(text).hexdigest()[:16]

    @property
    def repair(self) -> RepairOffer | None:
        """The repair offered first, if any."""
        return self.repairs[0] if self.repairs else None


@dataclass(frozen=True, slots=True)
class EntryReport:
    """What is known of one entry.

    ``name`` is the format's stable name (what ``publish`` wants); ``title`` and ``subtitle``
    are what a person reads.  ``row`` is the entry's row in the inventory.
    """

    name: str
    title: str
    subtitle: str
    path: bytes
    row: int
    size: int
    files: int
    changed_ns: int
    verdict: EntryVerdict
    why: str = ""
    expected: tuple[ExpectedDigest, ...] = ()
    actual: tuple[Digest, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    holders: tuple[Holder, ...] = ()
    users: tuple[bytes, ...] = ()
    link_target: bytes | None = None


@dataclass(frozen=True, slots=True)
class LockReport:
    """One lock: ``id`` is what ``unlock`` wants typed, ``owner`` what the lock itself says.

    ``path`` is a path below the root, or the address of an object (``s3://bucket/key``).
    ``identity`` is the lock file's, None where there is none; ``fingerprint`` the SHA-256 of
    the record as it was judged, ``etag`` the version of an object: a release compares them
    again.  ``garbage``: its record cannot be read, not even by its own tool.  ``guards`` is the
    path of the kernel lock that an info file describes.  ``no_release`` says why nobody may
    release a lock whose kind could be released, and is empty where its verdict decides.
    """

    id: str
    kind: LockKind
    path: bytes
    verdict: HoldVerdict
    subject: str
    explanation: str
    holders: tuple[Holder, ...] = ()
    owner: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    evidence: tuple[Evidence, ...] = ()
    changed_ns: int = 0
    identity: Identity | None = None
    fingerprint: str = ""
    etag: str = ""
    garbage: bool = False
    guards: bytes = b""
    no_release: str = ""


@dataclass(frozen=True, slots=True)
class StagingReport:
    """One staging place and whether its writer is proven dead."""

    path: bytes
    name: str
    size: int
    files: int
    verdict: HoldVerdict
    explanation: str
    evidence: tuple[Evidence, ...] = ()
    holders: tuple[Holder, ...] = ()
    changed_ns: int = 0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one ``check`` saw.  ``complete`` is false iff ``gaps`` is not empty."""

    root: bytes
    format: str
    title: str
    entries: tuple[EntryReport, ...]
    locks: tuple[LockReport, ...]
    staging: tuple[StagingReport, ...]
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...] = ()
    uninspected: int = 0
    size: int = 0
    files: int = 0
    started_ns: int = 0
    finished_ns: int = 0

    @property
    def complete(self) -> bool:
        return not self.gaps

    @property
    def problems(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.severity is Severity.PROBLEM)
