"""The step that puts a good copy in the place of a bad or missing entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cachewright.errors import Refused, SourceUnusable
from cachewright.formats.base import Verification
from cachewright.model import EntryVerdict, Outcome, PlanStep, Result, StepKind
from cachewright.repair.publication import Content, Publication, publish_tree
from cachewright.repair.records import pack
from cachewright.repair.sources import write_source
from cachewright.repair.work import Work, held, keeps_away, outcome

if TYPE_CHECKING:
    from cachewright.digests import FileDigest
    from cachewright.formats.base import Entry, GoodCopy
    from cachewright.storage.anchored import Directory

_BAD: Final = frozenset({EntryVerdict.CORRUPT, EntryVerdict.INCOMPLETE})


def republish_entry(work: Work, step: PlanStep) -> Outcome:
    """Stage, verify and exchange; the old entry goes to quarantine, whole.

    The copy is one that the format vouches for (the one at ``step.source``, else the best), or
    whatever lies at ``step.source`` if the entry's recorded digests accept it.  An entry that
    is a link is replaced as a link: nothing is written where it leads.
    """
    relative = work.relative(step)
    known = (*work.knowledge.entries, *work.knowledge.absent())
    entry = next((one for one in known if one.relative == relative), None)
    if entry is None:
        raise Refused(path=step.path, reason="it is no entry that its format knows")
    content = _content(work, step, entry)
    gates = work.gates(relative)
    with held(work.root, gates, step.path), work.subject(step) as subject:
        subject.recheck()
        subject.refuse_writers(work.look)
        with work.operation(step, gates, source=pack(step.source or b"")) as running:
            about = {"path": pack(step.path), "step": step.step.value}
            with work.need_quarantine().place(running.id, about) as place:
                published = publish_tree(
                    Publication(subject, place, work.look),
                    content,
                    running,
                    gate_held=keeps_away(gates),
                    size=step.size,
                    cancel=work.cancel,
                )
    return outcome(step, Result.DONE, _words(published), running.id)


def _words(publication: Publication) -> str:
    count = len(publication.files)
    files = "1 file" if count == 1 else f"{count} files"
    if publication.target.missing:
        return f"Published {files}."
    return f"Published {files}; what was there is in quarantine."


def _content(work: Work, step: PlanStep, entry: Entry) -> Content:
    copies = work.knowledge.copies(entry)
    for copy in copies:
        if step.source is None or copy.path == step.source:
            return _of_copy(work, entry, copy)
    if step.source is None:
        raise Refused(path=step.path, reason="no good copy of it was found")
    return _of_source(work, entry, step.source)


def _of_copy(work: Work, entry: Entry, copy: GoodCopy) -> Content:
    def write(staging: Directory) -> Mapping[bytes, FileDigest]:
        return copy.write_into(staging, work.cancel)

    def verify(files: Mapping[bytes, FileDigest]) -> None:
        good = copy.files()
        same = files.keys() == good.keys() and all(
            _equal(files[name], good[name]) for name in files
        )
        if not same:
            raise _unusable(entry, copy.path, "it is not what it was when it was found good")
        if _judged(work, entry, files) in _BAD:
            raise _unusable(entry, copy.path, "it does not match what is recorded for the entry")

    return Content(write, verify, entry.single)


def _of_source(work: Work, entry: Entry, source: bytes) -> Content:
    if entry.single:
        raise _unusable(entry, source, "it does not match what is recorded for the entry")

    def write(staging: Directory) -> Mapping[bytes, FileDigest]:
        special = work.form.keeps_special_modes
        return write_source(source, entry.name, staging, work.cancel, special_modes=special)

    def verify(files: Mapping[bytes, FileDigest]) -> None:
        if _judged(work, entry, files) is not EntryVerdict.OK:
            raise _unusable(entry, source, "it does not match what is recorded for the entry")

    return Content(write, verify)


def _judged(work: Work, entry: Entry, files: Mapping[bytes, FileDigest]) -> EntryVerdict:
    """What the format would say of the entry if it had this content."""
    whole = work.form.whole(files)
    return work.knowledge.judge(entry, Verification(files=files, whole=whole)).verdict


def _equal(one: FileDigest, other: FileDigest) -> bool:
    """Same size, and the same value by every algorithm that both have (at least one)."""
    shared = one.values.keys() & other.values.keys()
    same = all(one.values[name] == other.values[name] for name in shared)
    return bool(shared) and same and one.size == other.size


def _unusable(entry: Entry, source: bytes, reason: str) -> SourceUnusable:
    return SourceUnusable(source=source, entry=entry.name, reason=reason)


REPUBLISHERS: Final = {StepKind.REPUBLISH_ENTRY: republish_entry}
