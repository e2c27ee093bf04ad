"""What is wrong with links, pointers and archives, apart from any archive's content (3.7)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.formats.uv_layout import ARCHIVE
from cachewright.formats.uv_titles import of_reference
from cachewright.formats.uv_words import counted
from cachewright.model import (
    Confirm,
    EntryVerdict,
    Finding,
    FindingKind,
    RepairOffer,
    Role,
    Severity,
    StepKind,
)
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.base import Entry
    from cachewright.formats.uv_references import Damage, Reference, References
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

_ARCHIVE_DEPTH: Final = 2
_CHECKOUT_DEPTH: Final = 4
_CHECKOUT: Final = re.compile(rb"git-v[0-9]+/checkouts/[^/]+/[^/]+")

_ANEW: Final = (
    "Without it uv fetches the wheel again and writes pointer and link together; it can be put "
    "back from quarantine."
)
_MADE_AGAIN: Final = "uv makes it again when it is needed; it can be put back from quarantine."


class Records:
    """Findings about one cache's records; every one names its package where that is known."""

    def __init__(
        self, root: Directory, tree: Tree, references: References, entries: Sequence[Entry]
    ) -> None:
        self._root = root
        self._tree = tree
        self._references = references
        self._entries = entries
        self._archives = {entry.relative for entry in entries}
        self._damaged_stems = {os.path.splitext(one.relative)[0] for one in references.damaged}

    def findings(self, answers: Iterable[Damage]) -> Iterator[Finding]:
        """``answers``: what else cannot be read, and only has to be asked for again."""
        for damage in self._references.damaged:
            yield self._damaged(damage)
        for damage in answers:
            yield self._damaged_answer(damage)
        for reference in self._references.all:
            yield from self._of_reference(reference)
        yield from self._orphans()
        yield from self._no_directories()
        yield from self._checkouts()

    def _finding(
        self,
        kind: FindingKind,
        relative: bytes,
        explanation: str,
        *,
        severity: Severity = Severity.PROBLEM,
        verdict: EntryVerdict = EntryVerdict.INCOMPLETE,
        why: str = "",
    ) -> Finding:
        """About a record at ``relative``; ``why`` it may be moved away, if it may."""
        row = self._tree.find(relative)
        offer = RepairOffer(StepKind.QUARANTINE_ENTRY, Confirm.CLICK, why)
        return Finding(
            kind=kind,
            severity=severity,
            verdict=verdict,
            subject=display(relative),
            path=self._root.where(relative),
            explanation=explanation,
            repairs=(offer,) if why else (),
            size=0 if row is None else int(self._tree.total_bytes[row]),
            changed_ns=0 if row is None else int(self._tree.mtime_ns[row]),
        )

    def _damaged(self, damage: Damage) -> Finding:
        about = self._references.named_at(damage.relative)
        if not damage.read:
            return self._unread(damage)
        words = (
            f"{of_reference(about)}: its record cannot be used: {damage.reason}. uv takes it for "
            "missing and fetches or builds the package again; without network that fails."
        )
        kind, verdict = FindingKind.DAMAGED_METADATA, EntryVerdict.CORRUPT
        return self._finding(kind, damage.relative, words, verdict=verdict, why=_ANEW)

    def _unread(self, damage: Damage) -> Finding:
        """Nothing is known of it, so nothing is offered."""
        about = self._references.named_at(damage.relative)
        words = f"{of_reference(about)}: it could not be read ({damage.reason}) and was not judged."
        kind, verdict = FindingKind.UNREADABLE, EntryVerdict.UNREADABLE
        severity = Severity.NOTICE
        return self._finding(kind, damage.relative, words, severity=severity, verdict=verdict)

    def _damaged_answer(self, damage: Damage) -> Finding:
        about = self._references.named_at(damage.relative)
        if not damage.read:
            return self._unread(damage)
        words = (
            f"{of_reference(about)}: what uv remembers here cannot be used: {damage.reason}. It "
            "asks again when it needs it; an answer of an index is not had without network."
        )
        kind, verdict = FindingKind.DAMAGED_METADATA, EntryVerdict.CORRUPT
        return self._finding(kind, damage.relative, words, verdict=verdict, why=_MADE_AGAIN)

    def _of_reference(self, one: Reference) -> Iterator[Finding]:
        if one.outside is not None:
            yield self._outside(one)
        if one.link is None and not one.pointers:
            return
        if len(one.archives) > 1:
            if self._references.still(one):
                yield from self._disagreeing(one)
        elif not one.archives & self._archives:
            if self._references.still(one) and not self._appeared(one):
                yield self._dangling(one)
        elif one.in_wheels:
            yield from self._alone(one)

    def _outside(self, one: Reference) -> Finding:
        words = (
            f"{of_reference(one)}: its link leads to {display(one.outside or b'')}, which is no "
            "archive of this cache. uv may use whatever lies there; it was not looked at."
        )
        kind, verdict = FindingKind.POINTER_MISMATCH, EntryVerdict.CORRUPT
        return self._finding(kind, one.stem, words, verdict=verdict, why=_MADE_AGAIN)

    def _disagreeing(self, one: Reference) -> Iterator[Finding]:
        """Link and pointer name two archives: uv installs from the pointer's, and cleaning
        keeps the link's."""
        link = "nothing" if one.link is None else _id(one.link)
        for relative, pointer in sorted(one.pointers.items()):
            if pointer.archive == one.link:
                continue
            there = pointer.archive in self._archives
            now = "uv installs from the pointer's archive" if there else "that one is not there"
            words = (
                f"{of_reference(one)}: its link names the archive {link}, but its pointer "
                f"{_id(pointer.archive)}; {now}. uv cache prune would keep only the link's."
            )
            kind, verdict = FindingKind.POINTER_MISMATCH, EntryVerdict.DISPUTED
            yield self._finding(kind, relative, words, verdict=verdict, why=_ANEW)

    def _appeared(self, one: Reference) -> bool:
        """Whether an archive was made since the inventory was."""
        try:
            return any(stat.S_ISDIR(self._root.stat(path).st_mode) for path in one.archives)
        except (CachewrightError, OSError):
            return False

    def _dangling(self, one: Reference) -> Finding:
        (archive,) = one.archives
        again = "fetches" if one.in_wheels else "makes"
        words = (
            f"{of_reference(one)}: the archive {_id(archive)} that it names is not there. "
            f"uv {again} it again when it is needed; without network that fails."
        )
        relative = one.stem if one.link is not None else min(one.pointers)
        kind = FindingKind.DANGLING_LINK
        return self._finding(kind, relative, words, severity=Severity.NOTICE)

    def _alone(self, one: Reference) -> Iterator[Finding]:
        """A link without pointer is not used, a pointer without link does not protect."""
        kind, severity = FindingKind.POINTER_MISMATCH, Severity.NOTICE
        if one.link is None and one.outside is None:
            words = (
                f"{of_reference(one)}: it has a pointer but no link. uv installs from it, but "
                "uv cache prune would take its archive away."
            )
            yield self._finding(kind, min(one.pointers), words, severity=severity)
        elif not one.pointers and one.stem not in self._damaged_stems:
            words = (
                f"{of_reference(one)}: it has a link but no pointer, so uv does not use it and "
                "fetches the wheel again."
            )
            yield self._finding(kind, one.stem, words, severity=severity)

    def _orphans(self) -> Iterator[Finding]:
        """Unpacked and never linked, or left behind by a newer download."""
        for entry in self._entries:
            if not ARCHIVE.fullmatch(entry.relative) or self._references.of(entry.relative):
                continue
            yield Finding(
                kind=FindingKind.ORPHAN,
                severity=Severity.NOTICE,
                verdict=EntryVerdict.UNCHECKED,
                subject=entry.name,
                path=self._root.where(entry.relative),
                explanation=f"{entry.title}: nothing in the cache refers to this archive "
                f"({counted(int(self._tree.total_files[entry.row]), 'file')}). uv cache prune "
                "would remove it. An environment may still be linked to it.",
                size=int(self._tree.total_bytes[entry.row]),
                changed_ns=int(self._tree.mtime_ns[entry.row]),
            )

    def _no_directories(self) -> Iterator[Finding]:
        """A file or a link that has the name of an archive."""
        for row, relative in self._records_at(_ARCHIVE_DEPTH):
            if not ARCHIVE.fullmatch(relative):
                continue
            is_link = stat.S_ISLNK(int(self._tree.mode[row]))
            what = "A link lies" if is_link else "A file lies"
            named = [of_reference(one) for one in self._references.of(relative)]
            package = f"{', '.join(named)}: " if named else ""
            words = (
                f"{package}{what} where the directory of an archive belongs. uv fails on every "
                "install of it. It was not followed."
            )
            kind, verdict = FindingKind.FOREIGN_TYPE, EntryVerdict.CORRUPT
            yield self._finding(kind, relative, words, verdict=verdict, why=_MADE_AGAIN)

    def _checkouts(self) -> Iterator[Finding]:
        """A checkout is done once ``NAME.ok`` lies beside it."""
        for row, relative in self._records_at(_CHECKOUT_DEPTH):
            if not self._tree.is_directory(row) or not _CHECKOUT.fullmatch(relative):
                continue
            if self._tree.find(relative + b".ok") is None:
                words = (
                    f"The git checkout {display(os.path.basename(relative))} was not finished. "
                    "uv makes it again when it is needed."
                )
                kind = FindingKind.INCOMPLETE_ENTRY
                yield self._finding(
                    kind, relative, words, severity=Severity.NOTICE, why=_MADE_AGAIN
                )

    def _records_at(self, depth: int) -> Iterator[tuple[int, bytes]]:
        rows = self._tree.rows_with_role(Role.METADATA)
        for row in rows[self._tree.depth[rows] == depth].tolist():
            yield row, self._tree.path(row)


def _id(archive: bytes) -> str:
    return display(os.path.basename(archive))
