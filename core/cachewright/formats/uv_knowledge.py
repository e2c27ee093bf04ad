"""What is known of one scanned uv cache (the contract's ``Knowledge``)."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from cachewright.digests import hash_file
from cachewright.errors import CachewrightError, TooLarge
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
from cachewright.formats.uv_answers import damaged_answers
from cachewright.formats.uv_built import judge_built
from cachewright.formats.uv_copies import read_wheel
from cachewright.formats.uv_findings import Records
from cachewright.formats.uv_judge import Case, judge_environment, judge_wheel
from cachewright.formats.uv_layout import GATE, ROOT_LOCK
from cachewright.formats.uv_record import (
    LIMIT,
    Record,
    RecordDamaged,
    Row,
    algorithms_in,
    read_record,
)
from cachewright.formats.uv_references import Reference as UvReference
from cachewright.formats.uv_references import References
from cachewright.formats.uv_residue import name_of, unfinished
from cachewright.formats.uv_sources import Copy, Sources, Wanted, release_of
from cachewright.formats.uv_titles import DIST_INFO, Called, Form, Kind, called, form_of
from cachewright.model import EntryVerdict, ExpectedDigest, Finding, LockKind
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.model import CancelToken
    from cachewright.storage.anchored import Directory

_TYPE_BITS: Final = 0o170000
_NOTHING: Final = "Its RECORD vouches for its files; no pointer tells the digest of the wheel."


class UvKnowledge(Knowledge):
    """Joins the inventory with links, pointers and, once it is asked to judge, RECORDs."""

    def __init__(self, root: Directory, tree: Tree, sources: Sources, cancel: CancelToken) -> None:
        self._root = root
        self._tree = tree
        self._sources = sources
        self._cancel = cancel
        self._believed: dict[bytes, list[Copy]] = {}
        self._wanted: frozenset[str] | None = None
        self._told: tuple[Finding, ...] | None = None
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
        if self._wanted is None:
            self._wanted = frozenset(self._asked_for())
        return self._wanted

    def _asked_for(self) -> set[str]:
        wanted = {"sha256"}
        for entry in self.entries:
            for info in self._forms[entry.relative].infos:
                try:
                    content = self._root.read(entry.relative + b"/" + info + b"/RECORD", LIMIT)
                except (CachewrightError, OSError):
                    continue
                wanted |= algorithms_in(content)
        return wanted

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
            return judge_built(
                case,
                lambda: read_wheel(case.path, frozenset({"sha256"}), self._cancel),
                functools.partial(self._sha256, entry),
            )
        return self._judge_wheel(case)

    def _sha256(self, entry: Entry) -> str | None:
        """Of a single file as it is now."""
        try:
            fd = self._root.open_file(entry.relative)
        except (CachewrightError, OSError):
            return None
        try:
            return hash_file(fd, {"sha256"}, self._cancel)[1]["sha256"]
        except OSError:
            return None
        finally:
            os.close(fd)

    def _judge_wheel(self, case: Case) -> Judgement:
        """A wheel whose own RECORD is wrong is unpacked like that: the wheel itself tells."""
        judgement = judge_wheel(case)
        if judgement.verdict is EntryVerdict.OK:
            return judgement
        return self._as_copied(case.entry, case.seen) or judgement

    def _as_copied(self, entry: Entry, seen: Verification) -> Judgement | None:
        """Good if it is, file by file, a copy that was believed before."""
        for copy in self._believed.get(entry.relative, ()):
            good = copy.files()
            same = not seen.strange and good.keys() == seen.files.keys()
            if same and all(seen.files[name].sha256 == good[name].sha256 for name in good):
                why = f"It is file by file what {display(copy.path)} holds: {copy.proof}."
                return Judgement(EntryVerdict.OK, why, (), self._of_wheel(entry))
        return None

    def _record(self, entry: Entry, form: Form, seen: Verification) -> Record:
        """All rows of all RECORDs that were hashed; ``RecordDamaged`` says why not."""
        rows: dict[bytes, Row] = {}
        faults: list[str] = []
        doubtful: set[bytes] = set()
        whole = True
        for info in form.infos:
            place = info + b"/RECORD"
            record = read_record(self._content(entry, place, seen), place)
            rows.update(record.rows)
            faults += record.faults
            doubtful |= record.doubtful
            whole = whole and record.lists_itself
        return Record(rows, whole, tuple(faults), frozenset(doubtful))

    def _content(self, entry: Entry, place: bytes, seen: Verification) -> bytes:
        """The RECORD's bytes, which must be those that were hashed."""
        try:
            content = self._root.read(entry.relative + b"/" + place, LIMIT)
        except TooLarge:
            raise RecordDamaged("it is far larger than that of any wheel") from None
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
        if entry.relative not in self._believed:
            form = self._forms[entry.relative]
            found: list[Copy] = []
            if form.kind is Kind.WHEEL:
                found += self._sources.copies(self._what_is_wanted(entry, form), self.algorithms())
            self._believed[entry.relative] = found
        return self._believed[entry.relative]

    def _what_is_wanted(self, entry: Entry, form: Form) -> Wanted:
        """By what the entry holds and what is recorded of it."""
        references = self._references.of(entry.relative)
        pointers = self._references.pointers(entry.relative)
        named = [(one.package, one.version) for one in references if one.package]
        stems = [info.removesuffix(DIST_INFO) for info in form.infos]
        stems += [b"-".join((name.replace(b"-", b"_"), version)) for name, version in named]
        return Wanted(
            release=release_of(stems[0]) if stems else (b"", b""),
            hashes=frozenset(
                pointer.hashes["sha256"] for _at, pointer in pointers if "sha256" in pointer.hashes
            ),
            record=self._own_record(entry, form),
            stems=[one.stem for one in references if one.in_wheels],
            built=next(filter(None, map(self._built, references)), None),
        )

    def _own_record(self, entry: Entry, form: Form) -> Record | None:
        """The entry's RECORD as it lies there now, if it can be used at all."""
        if len(form.infos) != 1:
            return None
        place = form.infos[0] + b"/RECORD"
        try:
            return read_record(self._root.read(entry.relative + b"/" + place, LIMIT), place)
        except (CachewrightError, OSError, RecordDamaged):
            return None

    def _built(self, reference: UvReference) -> bytes | None:
        """The wheel beside a link, from which uv unpacked what the link names."""
        relative = reference.stem + b".whl"
        return self._root.where(relative) if relative in self._forms else None

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
        waiting = unfinished(self._tree, self._references) if rows else {}
        return [
            StagingPlace(
                name=name_of(self._tree, row, waiting), relative=relative, row=row, gates=(GATE,)
            )
            for relative, row in sorted((self._tree.path(row), row) for row in rows)
        ]

    def gate(self, relative: bytes) -> Gate:
        """One lock guards the whole cache: every uv holds it for its whole life (3.5)."""
        del relative
        return GATE

    def findings(self) -> Iterable[Finding]:
        """About links, pointers and archives as such, and sources that could not be used."""
        yield from self._sources.findings
        if self._told is None:
            records = Records(self._root, self._tree, self._references, self.entries)
            self._told = tuple(records.findings(damaged_answers(self._root, self._tree)))
        yield from self._told


def _entry(relative: bytes, row: int, named: Called, *, unique: bool) -> Entry:
    name = named.name if unique else display(relative)
    return Entry(name, named.title, named.subtitle, relative, row)


def _guarded(relative: bytes) -> str:
    if relative == ROOT_LOCK:
        return "the whole cache"
    folder, name = os.path.split(relative)
    stem = name.removesuffix(b".lock")
    return display(os.path.join(folder, stem) if stem else folder)
