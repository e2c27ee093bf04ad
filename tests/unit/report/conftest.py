from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from cachewright.model import (
    CheckResult,
    Confirm,
    Digest,
    EntryReport,
    EntryVerdict,
    Evidence,
    ExpectedDigest,
    Finding,
    FindingKind,
    Gap,
    Holder,
    HoldVerdict,
    LockKind,
    LockReport,
    RepairOffer,
    Says,
    Severity,
    StagingReport,
    StepKind,
)
from cachewright.report import schema

AT = 1_700_000_000_000_000_000

Validate = Callable[[dict[str, Any]], None]


@pytest.fixture
def validate() -> Validate:
    """Holds a document against the schema that it names."""

    def check(document: dict[str, Any]) -> None:
        name = document["schema"].removeprefix("cachewright.").removesuffix("/1")
        known = schema.load(name)
        jsonschema.Draft202012Validator.check_schema(known)
        jsonschema.Draft202012Validator(
            known, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        ).validate(document)

    return check


@pytest.fixture
def holder() -> Holder:
    return Holder(12, AT, "ann", "tofu init", ("lock:write", "open:write"), "stopped")


@pytest.fixture
def entry() -> EntryReport:
    return EntryReport(
        name="h/n/t/1.0.0/linux_amd64",
        title="t 1.0.0",
        subtitle="linux_amd64",
        path=b"/cache/h/n/t/1.0.0/linux_amd64",
        row=3,
        size=19,
        files=2,
        changed_ns=AT,
        verdict=EntryVerdict.OK,
        why="As recorded.",
        expected=(ExpectedDigest("h1", "AAA=", b"/p/.terraform.lock.hcl"),),
        actual=(Digest("h1", "AAA="), Digest("sha256", "00ff")),
        evidence=(Evidence("digest", Says.GOOD, "fits", AT),),
        users=(b"/p",),
    )


@pytest.fixture
def result(entry: EntryReport, holder: Holder) -> CheckResult:
    finding = Finding(
        kind=FindingKind.CORRUPT_ENTRY,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.CORRUPT,
        subject="h/n/t/2.0.0/linux_amd64",
        path=b"/cache/bad\xff",
        explanation="It is damaged.",
        files=(b"exe", b"odd\xfe"),
        evidence=(Evidence("digest", Says.BAD, "differs", AT),),
        repairs=(
            RepairOffer(StepKind.REPUBLISH_ENTRY, Confirm.CLICK, "A copy fits.", b"/m/t.zip"),
            RepairOffer(StepKind.QUARANTINE_ENTRY, Confirm.CLICK, "Fetched again."),
        ),
        holders=(holder,),
        size=7,
    )
    bad = EntryReport(
        "h/n/t/2.0.0/linux_amd64",
        "t",
        "",
        b"/cache/bad\xff",
        9,
        7,
        1,
        0,
        EntryVerdict.CORRUPT,
    )
    lock = LockReport(
        "h.lock",
        LockKind.POSIX,
        b"/cache/h.lock",
        HoldVerdict.HELD,
        "h",
        "Held by tofu.",
        holders=(holder,),
        owner={"Who": "ann@host"},
    )
    place = StagingReport(
        b"/cache/.temp1", ".temp1", 5, 1, HoldVerdict.STALE, "Left behind.", changed_ns=AT
    )
    notice = Finding(
        FindingKind.HELD_LOCK,
        Severity.NOTICE,
        HoldVerdict.HELD,
        "h",
        b"/cache/h.lock",
        "Held.",
    )
    return CheckResult(
        root=b"/cache",
        format="terraform",
        title="Terraform provider cache",
        entries=(entry, bad),
        locks=(lock,),
        staging=(place,),
        findings=(finding, notice),
        gaps=(Gap(b"/cache/secret", "permission denied"),),
        uninspected=4,
        size=100,
        files=9,
        started_ns=AT,
        finished_ns=AT + 1_500_000_000,
    )
