"""What is known of one scanned uv cache (the contract's ``Knowledge``)."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from cachewright.errors import CachewrightError
from cachewright.formats.base import (
    Entry,
    Expected,
    Gate,
    GoodCopy,
    Judgement,
    Knowledge,
    LockPlace,
    Role,
    StagingPlace,
    Verification,
)
from cachewright.formats.uv_judge import Case, judge_environment, judge_wheel
from cachewright.formats.uv_layout import GATE, ROOT_LOCK
from cachewright.formats.uv_record import LIMIT, Record, RecordDamaged, algorithms_in, read_record
from cachewright.formats.uv_references import References
from cachewright.formats.uv_titles import Called, Form, Kind, called, form_of
from cachewright.model import EntryVerdict, ExpectedDigest, Finding, LockKind
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory

_TYPE_BITS: Final = 0o170000
_NOTHING: Final = "Its RECORD vouches for its files; no pointer tells the digest of the wheel."


class UvKnowledge(Knowledge):
    """Joins the inventory with links, pointers and, once it is asked to judge, RECORDs."""

    def __init__(self, root: Directory, tree: Tree) -> None:
        self._root = root
        self._tree = tree
        self._references = References(root, tree)
        self._forms: dict[bytes, Form] = {}
        self.entries = self._read_entries()

    def _read_entries(self) -> tuple[Entry, ...]:
        tree = self._tree
        rows = sorted((tree.path(row), row) for row in tree.rows_with_role(Role.ENTRY).tolist())
        self._forms = {relative: form_of(tree, row) for relative, row in rows}
        names = {
            relative: called(relative, form, self._references.of(relative))
            for relative, form in self._forms.items()
        }
        seen = Counter(one.name for one in names.values())
        return tuple(
            _entry(relative, row, names[relative], unique=seen[names[relative].name] == 1)
            for relative, row in rows
        )

    def algorithms(self) -> frozenset[str]:
        """Every digest that a RECORD asks for; SHA-256 alone nearly always."""
        wanted = {"sha256"}
        for entry in self.entries:
            for info in self._forms[entry.relative].infos:
                try:
                    content = self._root.read(entry.relative + b"/" + info + b"/RECORD", LIMIT)
                except (CachewrightError, OSError):
                    continue
                wanted |= algorithms_in(content)
        return frozenset(wanted)

    def expected(self, entry: Entry) -> Expected:
        """The digests of the wheel as it was downloaded; RECORDs are read only to judge."""
        whole = self._of_wheel(entry)
        return Expected(whole=whole, missing="" if whole else _NOTHING)

    def _of_wheel(self, entry: Entry) -> tuple[ExpectedDigest, ...]:
        return tuple(
            ExpectedDigest(f"wheel-{algorithm}", value, self._root.where(relative))
            for relative, pointer in self._references.pointers(entry.relative)
            for algorithm, value in sorted(pointer.hashes.items())
        )

    def judge(self, entry: Entry, seen: Verification) -> Judgement:
        form = self._forms[entry.relative]
        case = Case(
            entry=entry,
            path=self._root.where(entry.relative),
            form=form,
            seen=seen,
            expected=self._of_wheel(entry),
            record=functools.partial(self._record, entry, form, seen),
            links=functools.partial(self._links, entry),
            copies=functools.partial(self.copies, entry),
        )
        if form.kind is Kind.ENVIRONMENT:
            return judge_environment(case)
        if form.kind is Kind.BUILT:
            return Judgement(EntryVerdict.UNVERIFIABLE, "uv records no digest of it.")
        return judge_wheel(case)

    def _record(self, entry: Entry, form: Form, seen: Verification) -> Record:
        """All rows of all RECORDs that were hashed; ``RecordDamaged`` says why not."""
        rows = {}
        whole = True
        for info in form.infos:
            place = info + b"/RECORD"
            record = read_record(self._content(entry, place, seen), place)
            rows.update(record.rows)
            whole = whole and record.lists_itself
        return Record(rows, whole)

    def _content(self, entry: Entry, place: bytes, seen: Verification) -> bytes:
        """The RECORD's bytes, which must be those that were hashed."""
        try:
            content = self._root.read(entry.relative + b"/" + place, LIMIT)
        except (CachewrightError, OSError) as error:
            raise RecordDamaged(f"it cannot be read ({error})") from None
        if hashlib.sha256(content).hexdigest() != seen.files[place].values.get("sha256"):
            raise RecordDamaged("it changed while it was looked at")
        return content

    def _links(self, entry: Entry, names: Sequence[bytes]) -> int:
        """The largest number of names that one of these files, or any of the entry's, has."""
        tree = self._tree
        if names:
            rows = [tree.find(entry.relative + b"/" + name) for name in names]
            return max((int(tree.nlink[row]) for row in rows if row is not None), default=1)
        inside = tree.subtree_rows(entry.row)
        files = inside[(tree.mode[inside] & _TYPE_BITS) == stat.S_IFREG]
        return int(tree.nlink[files].max()) if len(files) else 1

    def copies(self, entry: Entry) -> Sequence[GoodCopy]:
        del entry
        return ()

    def locks(self) -> Sequence[LockPlace]:
        rows = self._tree.rows_with_role(Role.LOCK).tolist()
        found = {self._tree.path(row): row for row in rows}
        found.setdefault(ROOT_LOCK, -1)
        return [
            LockPlace(
                id=display(relative),
                kind=LockKind.FLOCK,
                relative=relative,
                row=row,
                subject=_guarded(relative),
            )
            for relative, row in sorted(found.items())
        ]

    def staging(self) -> Sequence[StagingPlace]:
        rows = self._tree.rows_with_role(Role.STAGING).tolist()
        places = sorted((self._tree.path(row), row) for row in rows)
        return [
            StagingPlace(name=display(relative), relative=relative, row=row, gates=(GATE,))
            for relative, row in places
        ]

    def gate(self, relative: bytes) -> Gate:
        """One lock guards the whole cache: every uv holds it for its whole life (3.5)."""
        del relative
        return GATE

    def findings(self) -> Iterable[Finding]:
        return ()


def _entry(relative: bytes, row: int, named: Called, *, unique: bool) -> Entry:
    name = named.name if unique else display(relative)
    return Entry(name, named.title, named.subtitle, relative, row)


def _guarded(relative: bytes) -> str:
    if relative == ROOT_LOCK:
        return "the whole cache"
    folder, name = os.path.split(relative)
    stem = name.removesuffix(b".lock")
    return display(os.path.join(folder, stem) if stem else folder)
