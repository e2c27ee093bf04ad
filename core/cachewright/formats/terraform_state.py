"""The state locks of Terraform and OpenTofu: a project folder, a bucket or a table is their root.

Nothing here is a cache with entries.  State is content: it is never opened for writing, moved or
judged; only its locks are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from cachewright.formats.base import (
    Entry,
    Expected,
    Format,
    GoodCopy,
    Judgement,
    Knowledge,
    References,
    Rule,
    Verification,
)
from cachewright.formats.terraform_lock_info import parse
from cachewright.formats.terraform_state_layout import RULES, looks_like_project
from cachewright.formats.terraform_state_places import StatePlaces
from cachewright.model import (
    QUARANTINE_NAME,
    Access,
    Claim,
    EntryVerdict,
    Finding,
    FindingKind,
    Gate,
    Location,
    LockPlace,
    Severity,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.locks.store import LockStore
    from cachewright.storage.anchored import Directory


class TerraformState(Format):
    """A project folder with state of the local backend, at any depth; state that is kept
    elsewhere is told of, and S3 buckets and DynamoDB tables are opened by their own address."""

    name: ClassVar[str] = "terraform-state"
    title: ClassVar[str] = "Terraform state locks"
    rules: ClassVar[tuple[Rule, ...]] = RULES
    algorithms: ClassVar[frozenset[str]] = frozenset()
    schemes: ClassVar[frozenset[str]] = frozenset({"s3", "dynamodb"})

    def recognise(self, root: Directory) -> bool:
        return looks_like_project(root)

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        """None: projects lie anywhere, and a whole disk is not searched for them."""
        del environment
        return ()

    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        return StateKnowledge(StatePlaces(root, tree, references.environment))

    def open_store(self, address: str, access: Access) -> LockStore:
        from cachewright.formats.terraform_store import open_store

        return open_store(address, access)

    def harmless_quarantine(self) -> bytes:
        """The tools read no directory that begins with a dot but their own."""
        return QUARANTINE_NAME


class StateKnowledge(Knowledge):
    """What is known of a project folder: where its state is, and so where its locks are."""

    def __init__(self, places: StatePlaces) -> None:
        self.entries: Sequence[Entry] = ()
        self._places = places

    def locks(self) -> Sequence[LockPlace]:
        """For each state file the lock on it, and the info file beside it, there or not.

        The directories that hold state are listed anew each time: state and info files come
        and go between two scans.
        """
        return self._places.locks()

    def claim(self, place: LockPlace, record: bytes) -> Claim:
        del place
        return parse(record)

    def gate(self, relative: bytes) -> Gate | None:
        """The lock on the state file whose info file this is."""
        return next((one.guards for one in self.locks() if one.relative == relative), None)

    def notes(self) -> Sequence[str]:
        return [one.sentence for one in self._places.elsewhere]

    def findings(self) -> Iterable[Finding]:
        for one in self._places.elsewhere:
            yield Finding(
                kind=FindingKind.DAMAGED_METADATA if one.damaged else FindingKind.STATE_ELSEWHERE,
                severity=Severity.NOTICE,
                verdict=EntryVerdict.UNREADABLE if one.damaged else EntryVerdict.UNCHECKED,
                subject=display(one.settings),
                path=one.path,
                explanation=one.sentence,
            )

    def expected(self, entry: Entry) -> Expected:
        return Expected(missing=f"{entry.title} is no entry: a project folder has none.")

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        del seen
        return Judgement(EntryVerdict.UNVERIFIABLE, self.expected(entry).missing)

    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        del entry
        return ()
