"""A sample of everything that a window may have to show, over a real tree."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtCore import QSettings

from cachewright.inventory.tree import Tree, scan_subtree
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
    Holder,
    HoldVerdict,
    Location,
    LockKind,
    LockReport,
    Outcome,
    Plan,
    RepairOffer,
    Says,
    Severity,
    StagingReport,
    StepKind,
)
from cachewright.storage.anchored import Directory
from cachewright.workbench import HistoryItem

HOUR = 3600 * 1_000_000_000


def ago(hours: float) -> int:
    return time.time_ns() - int(hours * HOUR)


@dataclass
class Script:
    """What the scripted backend answers with."""

    root: bytes
    tree: Tree | None = None
    entries: tuple[EntryReport, ...] = ()
    locks: tuple[LockReport, ...] = ()
    staging: tuple[StagingReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    history: tuple[HistoryItem, ...] = ()
    found: tuple[Location, ...] = ()
    open_error: BaseException | None = None
    check_error: BaseException | None = None
    history_error: BaseException | None = None
    recovered: tuple[Outcome, ...] = ()
    locks_error: BaseException | None = None
    notes: tuple[str, ...] = ()
    title: str = "Terraform providers"
    holds_entries: bool = True
    outcomes: tuple[Outcome, ...] | None = None
    gate: threading.Event | None = None
    """A check waits for it after its first half, polling its token."""
    reached: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    calls: list[str] = field(default_factory=list)
    applied: list[tuple[Plan, dict[str, str]]] = field(default_factory=list)
    undone: list[str | None] = field(default_factory=list)
    polls: int = 0
    closed: int = 0

    def result(self) -> CheckResult:
        return CheckResult(
            root=self.root,
            format="terraform",
            title=self.title,
            entries=self.entries,
            locks=self.locks,
            staging=self.staging,
            findings=self.findings,
            size=sum(one.size for one in self.entries),
            files=sum(one.files for one in self.entries),
            started_ns=time.time_ns(),
            finished_ns=time.time_ns(),
        )


def plant(root: Path) -> Tree:
    """A small provider cache on disk, and its inventory."""
    for name, size in (("aws", 90_000), ("google", 40_000), ("random", 9_000), ("null", 3_000)):
        place = root / "registry.terraform.io" / "hashicorp" / name / "1.0.0" / "linux_amd64"
        place.mkdir(parents=True)
        (place / f"terraform-provider-{name}_v1.0.0_x5").write_bytes(b"x" * size)
        (place / "LICENSE.txt").write_bytes(b"words\n")
    (root / ".temp8841902").mkdir()
    (root / ".temp8841902" / "provider.zip").write_bytes(b"z" * 21_100)
    with Directory.open(os.fsencode(root)) as top:
        return scan_subtree(top, b"")


def sample(root: Path) -> Script:
    """One of everything that a person can meet, over a real tree."""
    tree = plant(root)
    at = os.fsencode(root)
    holder = Holder(30412, ago(0.1), "dev", "terraform init -upgrade", ("open:write", "lock:write"))
    verdicts = {
        b"aws": EntryVerdict.CORRUPT,
        b"google": EntryVerdict.UNVERIFIABLE,
        b"random": EntryVerdict.BUSY,
        b"null": EntryVerdict.OK,
    }
    entries = []
    for name, verdict in verdicts.items():
        relative = b"registry.terraform.io/hashicorp/" + name + b"/1.0.0/linux_amd64"
        row = tree.find(relative)
        assert row is not None
        good = "9Kq0bPwZrVv4y3MTn0cVb2J8w0m1Hh5Y4i9w8Zp7cQs="
        wrong = "Zt1xUeWwq3JHk0v9aA8nq2Lm4p5R6s7T8u9v0w1x2y0="
        vouched = verdict is not EntryVerdict.UNVERIFIABLE
        sources = (
            b"/home/dev/infra/prod/.terraform.lock.hcl",
            b"/home/dev/apps/web/.terraform.lock.hcl",
        )
        entries.append(
            EntryReport(
                name=relative.decode(),
                title=f"hashicorp/{name.decode()} 1.0.0",
                subtitle="linux_amd64",
                path=at + b"/" + relative,
                row=row,
                size=int(tree.total_bytes[row]),
                files=int(tree.total_files[row]),
                changed_ns=ago(2),
                verdict=verdict,
                why="The content differs from what 2 lock files record."
                if verdict is EntryVerdict.CORRUPT
                else "",
                expected=tuple(ExpectedDigest("h1", good, one) for one in sources)
                if vouched
                else (),
                actual=(Digest("h1", wrong if verdict is EntryVerdict.CORRUPT else good),),
                evidence=(
                    Evidence(
                        "digest",
                        Says.BAD if verdict is EntryVerdict.CORRUPT else Says.GOOD,
                        "h1 recorded in 2 lock files",
                    ),
                    Evidence(
                        "open-files", Says.DEAD, "no process that could be inspected has it open"
                    ),
                    Evidence(
                        "unchanged", Says.DEAD, "same size and times before and after reading"
                    ),
                ),
                users=(b"/home/dev/infra/prod", b"/home/dev/apps/web"),
            )
        )
    aws, _google, random, _null = entries
    stale_evidence = (
        Evidence("open-files", Says.DEAD, "no process has anything in it open"),
        Evidence("age", Says.DEAD, "newest file is a day old"),
        Evidence("unchanged", Says.DEAD, "the same in two looks, 60 s apart"),
    )
    place = StagingReport(
        path=at + b"/.temp8841902",
        name=".temp8841902",
        size=21_100,
        files=1,
        verdict=HoldVerdict.STALE,
        explanation="Left by a terraform that is gone.",
        evidence=stale_evidence,
        changed_ns=ago(26),
    )
    locks = (
        LockReport(
            id="aws-1.0.0.lock",
            kind=LockKind.FLOCK,
            path=at + b"/registry.terraform.io/hashicorp/random.lock",
            verdict=HoldVerdict.HELD,
            subject="hashicorp/random 1.0.0",
            explanation="terraform holds this lock while it installs the provider.",
            holders=(holder,),
            evidence=(Evidence("flock", Says.ALIVE, "write lock of pid 30412"),),
            changed_ns=ago(0.1),
        ),
        LockReport(
            id="google-1.0.0.lock",
            kind=LockKind.POSIX,
            path=at + b"/registry.terraform.io/hashicorp/google.lock",
            verdict=HoldVerdict.FREE,
            subject="hashicorp/google 1.0.0",
            explanation="Nobody holds this. Nothing to clean.",
            evidence=(Evidence("posix-lock", Says.DEAD, "the kernel knows of no lock"),),
            changed_ns=ago(90),
        ),
    )
    findings = (
        Finding(
            kind=FindingKind.CORRUPT_ENTRY,
            severity=Severity.PROBLEM,
            verdict=EntryVerdict.CORRUPT,
            subject=aws.name,
            path=aws.path,
            explanation="The content differs from what 2 lock files record; 1 of 2 files changed.",
            files=(b"terraform-provider-aws_v1.0.0_x5",),
            evidence=aws.evidence,
            repairs=(
                RepairOffer(
                    StepKind.REPUBLISH_ENTRY,
                    Confirm.CLICK,
                    "A good copy was found in a file system mirror. It is staged beside the entry, "
                    "checked, then swapped in with one step. The old copy goes to quarantine.",
                    source=b"/srv/mirror/aws_1.0.0_linux_amd64.zip",
                ),
                RepairOffer(
                    StepKind.QUARANTINE_ENTRY,
                    Confirm.CLICK,
                    "The entry is moved to quarantine and terraform fetches it again.",
                ),
            ),
            expected=aws.expected,
            actual=aws.actual,
            size=aws.size,
            changed_ns=aws.changed_ns,
        ),
        Finding(
            kind=FindingKind.STALE_STAGING,
            severity=Severity.PROBLEM,
            verdict=HoldVerdict.STALE,
            subject=place.name,
            path=place.path,
            explanation=place.explanation,
            evidence=stale_evidence,
            repairs=(
                RepairOffer(
                    StepKind.QUARANTINE_STAGING,
                    Confirm.CLICK,
                    "It is moved to quarantine, outside the cache, and can be put back.",
                ),
            ),
            size=place.size,
            changed_ns=place.changed_ns,
        ),
        Finding(
            kind=FindingKind.UNPROVEN_STAGING,
            severity=Severity.PROBLEM,
            verdict=HoldVerdict.UNPROVEN,
            subject=".temp77",
            path=at + b"/.temp77",
            explanation="Its writer may be on another host.",
            evidence=(Evidence("filesystem", Says.UNKNOWN, "nfs4: holders elsewhere are unseen"),),
            repairs=(
                RepairOffer(
                    StepKind.QUARANTINE_STAGING, Confirm.TYPED, "Its writer is not proven gone."
                ),
            ),
            size=512,
            changed_ns=ago(50),
        ),
        Finding(
            kind=FindingKind.BUSY_ENTRY,
            severity=Severity.NOTICE,
            verdict=EntryVerdict.BUSY,
            subject=random.name,
            path=random.path,
            explanation="Being written by terraform init (pid 30412).",
            holders=(holder,),
            size=random.size,
            changed_ns=ago(0.01),
        ),
    )
    history = (
        HistoryItem(
            "op-2",
            ago(1),
            StepKind.QUARANTINE_STAGING,
            ".temp100",
            at + b"/.temp100",
            "done",
            "",
            False,
            True,
        ),
        HistoryItem(
            "op-1",
            ago(70),
            StepKind.REPUBLISH_ENTRY,
            "hashicorp/null 1.0.0",
            at + b"/null",
            "done",
            "",
            True,
            False,
        ),
    )
    found = (
        Location("terraform", at, "Terraform providers"),
        Location("opentofu", b"/home/dev/.terraform.d/tofu-cache", "OpenTofu providers"),
    )
    return Script(at, tree, tuple(entries), locks, (place,), findings, history, found)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The offscreen platform says of each dialog what it cannot do; that is no fault."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.qt_log_ignore("propagateSizeHints"))


@pytest.fixture(autouse=True)
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a test lie in a folder of its own."""
    folder = tmp_path_factory.mktemp("settings")
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    for kind in (QSettings.Format.IniFormat, QSettings.Format.NativeFormat):
        QSettings.setPath(kind, QSettings.Scope.UserScope, str(folder))
    return folder


@pytest.fixture
def script(tmp_path: Path) -> Script:
    root = tmp_path / "plugin-cache"
    root.mkdir()
    return sample(root)


@pytest.fixture
def other_script(tmp_path: Path) -> Script:
    root = tmp_path / "other-cache"
    root.mkdir()
    return sample(root)
