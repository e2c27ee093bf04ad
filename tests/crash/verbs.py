"""Every kind of repair, of taking it back, and of deleting for good what it kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.crash import caches
from tests.crash.listing import World
from tests.crash.scenario import Act, Ready, Scenario, purging, undoing

from cachewright.baseline.record import Baseline, FileRecord
from cachewright.baseline.store import Baselines
from cachewright.model import (
    CheckResult,
    Confirm,
    EntryVerdict,
    Finding,
    FindingKind,
    Outcome,
    RepairOffer,
    Result,
    Severity,
    StepKind,
)
from cachewright.repair.publish import publish
from cachewright.text import encode_name

if TYPE_CHECKING:
    from tests.crash.stage import Stage

    from cachewright.model import Plan
    from cachewright.workbench import Workbench


def _planned(plan_of: Callable[[Stage, Workbench], Plan]) -> Ready:
    @contextmanager
    def ready(stage: Stage) -> Iterator[Act]:
        with stage.opened() as bench:
            plan = plan_of(stage, bench)
            if len(plan.steps) != 1:
                raise AssertionError(f"one step is wanted, not {plan.steps}")
            typed = {step.id: step.wanted for step in plan.steps}
            yield lambda: bench.repair(plan, apply=True, confirmations=typed)

    return ready


def _found(step: StepKind) -> Ready:
    """The repair that a check offers."""

    def plan(stage: Stage, bench: Workbench) -> Plan:
        bench.result = stage.check(step)
        return bench.plan(only=(step,))

    return _planned(plan)


def _published(stage: Stage, bench: Workbench) -> Plan:
    """As ``publish ENTRY`` plans it."""
    from cachewright.workbench.repairing import publication

    assert bench.tree is not None
    assert bench._knowledge is not None
    known = (*bench._knowledge.entries, *bench._knowledge.absent())
    (name,) = [one.name for one in known if one.name in {caches.PROVIDER.name, "bad"}]
    source = os.fsencode(stage.mirror)
    return publication(
        bench.directory,
        bench._format,
        bench.tree,
        bench._knowledge,
        entry_name=name,
        source=source,
    )


def _mended(stage: Stage, bench: Workbench) -> Plan:
    """Several files at once, which no check of this format finds in one entry."""
    top = stage.cache / caches.PROVIDER.name
    files = [encode_name(os.fsencode(one.relative_to(top))) for one in caches.runnable(stage)]
    offer = RepairOffer(
        StepKind.RESTORE_EXEC_BIT, Confirm.CLICK, "Asked for.", detail={"files": files}
    )
    finding = Finding(
        kind=FindingKind.LOST_EXEC_BIT,
        severity=Severity.PROBLEM,
        verdict=EntryVerdict.INCOMPLETE,
        subject=caches.PROVIDER.name,
        path=os.fsencode(top),
        explanation="",
        repairs=(offer,),
    )
    bench.result = CheckResult(bench.root, bench.format_name, bench.title, (), (), (), (finding,))
    return bench.plan()


def _unlocked(_stage: Stage, bench: Workbench) -> Plan:
    (lock,) = [one for one in bench.locks(decide=True) if one.verdict.value != "free"]
    return bench.unlocking(lock)


@contextmanager
def _publishing(stage: Stage) -> Iterator[Act]:
    def act() -> tuple[Outcome, ...]:
        done = publish(stage.cache / "entry", stage.mirror, root=stage.cache)
        return (Outcome(StepKind.REPUBLISH_ENTRY, done.path, Result.DONE, "", done.undo, ""),)

    yield act


@contextmanager
def _recording(stage: Stage) -> Iterator[Act]:
    def act() -> tuple[Outcome, ...]:
        Baselines().keep(_baseline(stage, 2), replace=True)
        return (Outcome(StepKind.REPUBLISH_ENTRY, b"", Result.DONE, "", None, ""),)

    yield act


def _baseline(stage: Stage, time_ns: int) -> Baseline:
    files = {f"file-{number}".encode(): FileRecord(number, "ab" * 32) for number in range(50)}
    return Baseline(os.fsencode(stage.cache), 1, "terraform", time_ns, {"entry": files})


def _recorded(stage: Stage) -> None:
    stage.cache.mkdir()
    Baselines().keep(_baseline(stage, 1), replace=False)


def _some_modes(now: World, before: World) -> bool:
    """Modes cannot be changed all at once; the files are the same, each may or may not be run."""
    execute = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
    return {name: (one.bare, one.mode & ~execute) for name, one in now.place.items()} == {
        name: (one.bare, one.mode & ~execute) for name, one in before.place.items()
    }


def _stand_in(now: World, before: World) -> bool:
    """The lock's name is never free: what stands in for it is a lock of the same kind."""
    gone = {name for name in before.place if name not in now.place}
    came = {name for name in now.place if name not in before.place}
    changed = [
        name
        for name, one in now.place.items()
        if name in before.place and one.inode != before.place[name].inode
    ]
    kinds = all(now.place[name].kind == before.place[name].kind for name in changed)
    return not gone and not came and bool(changed) and kinds


def _repair(name: str, subject: str, make: Callable[[Stage], None], ready: Ready) -> Scenario:
    return Scenario(name, subject, make, ready)


_LOCKS: Final = tuple(
    Scenario(
        f"quarantine-lock {words}",
        f"cache/x{suffix}",
        partial(caches.strangers_lock, suffix=suffix),
        _planned(_unlocked),
        between=_stand_in,
    )
    for words, suffix in (("file", ".lock"), ("link", ".lnk"), ("directory", ".dir"))
)

STAGING: Final = _repair(
    "quarantine-staging",
    f"cache/{caches.STAGING}",
    caches.left_staging,
    _found(StepKind.QUARANTINE_STAGING),
)
ENTRY: Final = _repair(
    "quarantine-entry",
    caches.ENTRY,
    caches.corrupt_entry,
    _found(StepKind.QUARANTINE_ENTRY),
)
REPUBLISH: Final = _repair(
    "republish-entry",
    caches.ENTRY,
    caches.corrupt_entry_with_mirror,
    _planned(_published),
)
MODES: Final = Scenario(
    "restore-exec-bit",
    caches.ENTRY,
    caches.lost_permissions,
    _planned(_mended),
    between=_some_modes,
)
LINE: Final = _repair(
    "drop-poisoned-checksum",
    "project/.terraform.lock.hcl",
    caches.poisoned_checksum,
    _found(StepKind.DROP_POISONED_CHECKSUM),
)

REPAIRS: Final = (
    STAGING,
    ENTRY,
    *_LOCKS,
    _repair(
        "quarantine-lock information",
        "cache/.terraform.tfstate.lock.info",
        caches.project_folder,
        _planned(_unlocked),
    ),
    REPUBLISH,
    _repair("republish-entry one file", "cache/bad", caches.listed_tree, _planned(_published)),
    _repair(
        "republish-entry missing file", "cache/bad", caches.incomplete_tree, _planned(_published)
    ),
    MODES,
    LINE,
    _repair(
        "recount-statistics",
        "cache/stats.txt",
        caches.compiler_cache,
        _found(StepKind.RECOUNT_STATISTICS),
    ),
    _repair(
        "recount-statistics missing",
        "cache/stats.txt",
        caches.uncounted_cache,
        _found(StepKind.RECOUNT_STATISTICS),
    ),
    _repair("release-lease", "cache/leases.db", caches.strangers_lease, _planned(_unlocked)),
    _repair("publish over old", "cache/entry", caches.folder_to_replace, _publishing),
    _repair("publish over nothing", "cache/entry", caches.no_folder_yet, _publishing),
)

BASELINE: Final = Scenario(
    "baseline",
    "state/baselines",
    _recorded,
    _recording,
    replaces_ours=True,
    journals=False,
)

_WRITTEN: Final = frozenset({"drop-poisoned-checksum", "recount-statistics"})
UNDOS: Final = tuple(undoing(one, replaces_ours=one.name in _WRITTEN) for one in REPAIRS)
PURGES: Final = (purging(REPUBLISH), purging(STAGING), purging(_LOCKS[0]))
ALL: Final = (*REPAIRS, *UNDOS, *PURGES, BASELINE)
QUICK: Final = (REPUBLISH, STAGING, LINE, undoing(ENTRY), BASELINE)
_SOON: Final = {"republish-entry", "publish over nothing", "undo recount-statistics missing"}
QUICKLY_RECOVERED: Final = tuple(one for one in ALL if one.name in _SOON)
