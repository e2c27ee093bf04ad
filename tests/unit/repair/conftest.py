"""A small cache of a small format, and everything that running a plan on it takes."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cachewright import holders
from cachewright.digests import FileDigest
from cachewright.formats.base import (
    Entry,
    Expected,
    Format,
    Judgement,
    Knowledge,
    References,
    StagingPlace,
    Verification,
)
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.model import (
    CancelToken,
    CheckResult,
    Confirm,
    EntryVerdict,
    Evidence,
    Finding,
    FindingKind,
    Gate,
    HoldVerdict,
    Location,
    LockKind,
    LockPlace,
    Outcome,
    Plan,
    PlanStep,
    RepairOffer,
    Rule,
    Says,
    Severity,
    StagingReport,
    StepKind,
)
from cachewright.repair.execute import execute
from cachewright.repair.journal import Journal
from cachewright.repair.plan import below, make_plan
from cachewright.repair.subject import LookAround
from cachewright.storage.anchored import Directory
from cachewright.storage.copying import copy_tree
from cachewright.storage.reading_back import hash_tree
from cachewright.text import display

GOOD = b"good content" * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Copy:
    """A directory as a good copy."""

    path: bytes
    digests: Mapping[bytes, FileDigest]
    proof: str = "It was made by the test."

    def files(self) -> Mapping[bytes, FileDigest]:
        return self.digests

    def write_into(self, staging: Directory, cancel: CancelToken) -> Mapping[bytes, FileDigest]:
        with Directory.open(self.path) as source:
            return copy_tree(source, staging, cancel)


@dataclass
class ShelfKnowledge(Knowledge):
    """Entries are directories, staging starts with ``.tmp-``, ``<entry>.lock`` is the gate."""

    root: Directory
    entries: Sequence[Entry]
    places: Sequence[StagingPlace]
    lock_places: Sequence[LockPlace] = ()
    good_copies: Sequence[Copy] = ()
    gated: bool = False
    offers: tuple[Finding, ...] = ()

    def expected(self, entry: Entry) -> Expected:
        del entry
        return Expected()

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        del entry
        good = b"data" in seen.files and seen.files[b"data"].sha256 == sha256(GOOD)
        return Judgement(EntryVerdict.OK if good else EntryVerdict.CORRUPT, "")

    def copies(self, entry: Entry) -> Sequence[Copy]:
        del entry
        return self.good_copies

    def locks(self) -> Sequence[LockPlace]:
        return self.lock_places

    def staging(self) -> Sequence[StagingPlace]:
        return self.places

    def gate(self, relative: bytes) -> Gate | None:
        if not self.gated:
            return None
        return Gate(LockKind.POSIX, relative.split(b"/")[0] + b".lock", create=True)

    def findings(self) -> Iterable[Finding]:
        return self.offers


class Shelf(Format):
    name: ClassVar[str] = "shelf"
    title: ClassVar[str] = "Shelf"
    rules: ClassVar[tuple[Rule, ...]] = ()
    algorithms: ClassVar[frozenset[str]] = frozenset({"sha256"})

    def recognise(self, root: Directory) -> bool:
        return root.exists(b"good")

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        del environment
        return ()

    def read(self, root: Directory, tree: Tree, references: References) -> ShelfKnowledge:
        del references
        names = [(tree.name(row), row) for row in tree.children(0)]
        entries = [
            Entry(display(name), display(name), "", name, row)
            for name, row in names
            if name[:1] != b"." and not name.endswith(b".lock")
        ]
        places = [
            StagingPlace(name.decode(), name, row) for name, row in names if name[:5] == b".tmp-"
        ]
        return ShelfKnowledge(root, entries, places)

    def rewrite(self, step: StepKind, detail: Mapping[str, Any], old: bytes) -> bytes:
        del step
        drop = str(detail["drop"]).encode()
        if drop not in old:
            raise ValueError("it no longer has the line")
        return old.replace(drop, b"")


@dataclass
class Bench:
    """An open cache: make a plan for one thing, run it, look at what became of it."""

    path: Path
    root: Directory
    journal: Journal
    form: Shelf = field(default_factory=Shelf)
    verdict: HoldVerdict = HoldVerdict.STALE
    look: LookAround = holders.survey

    def __post_init__(self) -> None:
        self.tree = scan_subtree(self.root)
        self.knowledge = self.form.read(self.root, self.tree, References())

    def scan(self) -> None:
        self.tree = scan_subtree(self.root)

    @property
    def quarantine(self) -> Path:
        return self.path.parent / ".cachewright-quarantine"

    def finding(
        self, step: StepKind, name: str | Path, confirm: Confirm = Confirm.CLICK, **offer: Any
    ) -> Finding:
        verdict = HoldVerdict.STALE if "staging" in step else EntryVerdict.CORRUPT
        return Finding(
            kind=FindingKind.CORRUPT_ENTRY,
            severity=Severity.PROBLEM,
            verdict=verdict,
            subject=str(name),
            path=os.fsencode(self.path / name),
            explanation="",
            repairs=(RepairOffer(step, confirm, "why", **offer),),
        )

    def plan(self, *found: Finding, **how: Any) -> Plan:
        result = CheckResult(self.root.path, "shelf", "Shelf", (), (), (), found)
        return make_plan(result, self.root, self.tree, **how)

    def plan_of(
        self, step: StepKind, name: str | Path, confirm: Confirm = Confirm.CLICK, **offer: Any
    ) -> Plan:
        return self.plan(self.finding(step, name, confirm, **offer))

    def rejudge(self, step: PlanStep) -> StagingReport:
        name = below(self.root.path, step.path) or b""
        seen = Evidence("test", Says.DEAD, "")
        return StagingReport(step.path, name.decode(), 0, 0, self.verdict, "Told so.", (seen,))

    def run(self, plan: Plan, *, apply: bool = True, **how: Any) -> tuple[Outcome, ...]:
        return execute(
            plan,
            root=self.root,
            form=self.form,
            knowledge=self.knowledge,
            journal=self.journal,
            rejudge=self.rejudge,
            apply=apply,
            look=self.look,
            **how,
        )

    def one(self, step: StepKind, name: str | Path, **offer: Any) -> Outcome:
        (outcome,) = self.run(self.plan_of(step, name, **offer))
        return outcome

    def good_copy(self, name: str = "copy", content: bytes = GOOD) -> Copy:
        place = self.path.parent / name
        place.mkdir()
        (place / "data").write_bytes(content)
        (place / "run").write_bytes(b"#!")
        (place / "run").chmod(0o755)
        with Directory.open(os.fsencode(place)) as opened:
            return Copy(os.fsencode(place), hash_tree(opened, CancelToken()))

    def events(self) -> list[str]:
        return [record.event.value for record in self.journal.records()]


def snapshot(top: Path) -> dict[str, tuple[int, bytes]]:
    """Every name below with its mode and content; what must be the same before and after."""
    found = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        content = b""
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            content = os.fsencode(os.readlink(path))
        found[str(path.relative_to(top))] = (status.st_mode, content)
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    place = tmp_path / "cache"
    for name, content in (("good", GOOD), ("bad", b"BAD content")):
        (place / name / "sub").mkdir(parents=True)
        (place / name / "data").write_bytes(content)
        (place / name / "sub" / "more").write_bytes(b"more")
    (place / ".tmp-1" / "inner").mkdir(parents=True)
    (place / ".tmp-1" / "part").write_bytes(b"half")
    (place / ".tmp-1" / "inner" / "part").write_bytes(b"half")
    return place


@pytest.fixture
def bench(cache: Path, tmp_path: Path) -> Iterator[Bench]:
    journal = Journal.open(os.fsencode(tmp_path / "state"))
    with Directory.open(os.fsencode(cache)) as root:
        yield Bench(cache, root, journal)
    journal.close()


@pytest.fixture
def look_then(bench: Bench) -> Any:
    """Let something happen right after the n-th look around, before what is decided by it."""

    def arrange(happens: Any, *, after: int = 1) -> None:
        looks = iter(range(1, 1000))

        def look(prefixes: Sequence[bytes], devices: frozenset[int]) -> holders.Survey:
            seen = holders.survey(prefixes, devices)
            if next(looks) == after:
                happens()
            return seen

        bench.look = look

    return arrange
