"""The nouns of Cachewright: plain, immutable values that every other module speaks in.

Units, everywhere: sizes in bytes, times in nanoseconds since the epoch (``*_ns``) as the file
system or the kernel reported them, paths as ``bytes``.  Text is only made for display (``text``).
"""

from __future__ import annotations

from cachewright.model.evidence import (
    Claim,
    Digest,
    Evidence,
    ExpectedDigest,
    Gap,
    Holder,
    Identity,
)
from cachewright.model.findings import (
    CheckResult,
    EntryReport,
    Finding,
    LockReport,
    RepairOffer,
    StagingReport,
)
from cachewright.model.layout import (
    ANY_DEPTH,
    QUARANTINE_NAME,
    Access,
    Directories,
    Gate,
    Location,
    LockPlace,
    Role,
    Rule,
    Type,
)
from cachewright.model.plans import Outcome, Plan, PlanStep
from cachewright.model.running import CancelToken, Progress, ProgressSink, no_progress
from cachewright.model.verdicts import (
    Confirm,
    EntryVerdict,
    FindingKind,
    HoldVerdict,
    LockKind,
    Result,
    Says,
    Severity,
    StepKind,
    Verdict,
)

__all__ = [
    "ANY_DEPTH",
    "QUARANTINE_NAME",
    "Access",
    "CancelToken",
    "CheckResult",
    "Claim",
    "Confirm",
    "Digest",
    "Directories",
    "EntryReport",
    "EntryVerdict",
    "Evidence",
    "ExpectedDigest",
    "Finding",
    "FindingKind",
    "Gap",
    "Gate",
    "HoldVerdict",
    "Holder",
    "Identity",
    "Location",
    "LockKind",
    "LockPlace",
    "LockReport",
    "Outcome",
    "Plan",
    "PlanStep",
    "Progress",
    "ProgressSink",
    "RepairOffer",
    "Result",
    "Role",
    "Rule",
    "Says",
    "Severity",
    "StagingReport",
    "StepKind",
    "Type",
    "Verdict",
    "no_progress",
]
