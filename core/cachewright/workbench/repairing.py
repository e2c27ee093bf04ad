"""Repairs of one open cache: the plan of a single publication, and staging judged anew."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Final

from cachewright import holders
from cachewright.diagnosis.staging import StagingRule, judge_staging
from cachewright.errors import EntryUnknown, Refused, SourceUnusable
from cachewright.inventory.tree import scan_subtree
from cachewright.locks import filesystems
from cachewright.model import (
    CheckResult,
    Confirm,
    EntryVerdict,
    Finding,
    FindingKind,
    Plan,
    PlanStep,
    RepairOffer,
    Severity,
    StagingReport,
    StepKind,
)
from cachewright.repair.plan import below, make_plan
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.formats.base import Entry, Format, Knowledge
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory
    from cachewright.workbench.watching import Options

_NS: Final = 1_000_000_000


def judge_anew(
    root: Directory, knowledge: Knowledge, options: Options, step: PlanStep
) -> StagingReport:
    """Whether the step's staging place is dead now, asked right before it is moved.

    That it is still what two looks saw is the step's signature's to prove; here it is read once.
    Raises ``Refused`` where it is gone.
    """
    relative = below(root.path, step.path)
    place = next((one for one in knowledge.staging() if one.relative == relative), None)
    if place is None:
        raise Refused(path=step.path, reason="it is no staging place that its format knows")
    try:
        look = scan_subtree(root, place.relative)
    except OSError:
        raise Refused(path=step.path, reason="it is gone") from None
    return judge_staging(
        root,
        place,
        look,
        look,
        holders.survey([root.path], frozenset({root.identity.device})),
        StagingRule(int(options.floor_s * _NS), int(options.observe_s * _NS)),
        time.time_ns(),
        filesystems.facts(root),
        may_lock=True,
    )


def publication(
    root: Directory,
    form: Format,
    tree: Tree,
    knowledge: Knowledge,
    *,
    entry_name: str,
    source: bytes | None,
) -> Plan:
    """The plan of one step that re-publishes an entry.

    Raises ``EntryUnknown``, or ``SourceUnusable`` where nothing at ``source`` is a good copy.
    """
    known = (*knowledge.entries, *knowledge.absent())
    entry = next((one for one in known if one.name == entry_name), None)
    if entry is None:
        raise EntryUnknown(name=display(entry_name), path=root.path)
    chosen = _copy_at(knowledge, entry, source)
    offer = RepairOffer(
        StepKind.REPUBLISH_ENTRY, Confirm.CLICK, "Asked for by name.", source=chosen
    )
    wish = Finding(
        kind=FindingKind.CORRUPT_ENTRY,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNCHECKED,
        subject=entry.name,
        path=root.where(entry.relative),
        explanation=offer.why,
        repairs=(offer,),
        size=0 if entry.row < 0 else int(tree.total_bytes[entry.row]),
    )
    asked = CheckResult(root.path, form.name, form.title, (), (), (), (wish,))
    return make_plan(asked, root, tree)


def _copy_at(knowledge: Knowledge, entry: Entry, source: bytes | None) -> bytes:
    """Where the good copy is: the best that is known, or the best at or below ``source``."""
    copies = [copy.path for copy in knowledge.copies(entry)]
    if source is None:
        if copies:
            return copies[0]
        reason = "no mirror, archive or other cache that was looked at holds one"
        raise SourceUnusable(source="what is known", entry=entry.name, reason=reason)
    place = os.path.realpath(source)
    inside = [path for path in copies if path == place or path.startswith(place + b"/")]
    if inside:
        return inside[0]
    if not entry.single and _is_one_package(place):
        return place
    reason = "nothing there matches what is recorded for the entry"
    raise SourceUnusable(source=source, entry=entry.name, reason=reason)


def _is_one_package(place: bytes) -> bool:
    """An archive, or a directory that holds files itself; a mirror or cache holds only
    directories at its top, and is not tried as one entry."""
    try:
        if stat.S_ISREG(os.stat(place).st_mode):
            return True
        with os.scandir(place) as found:
            return any(one.is_file(follow_symlinks=False) for one in found)
    except OSError:
        return False
