"""Every call of every verb fails in every way that it can: nothing is lost, and nothing is said to
be done that is not there, recorded and durable."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.crash.calls import ALLOCATES, CHANGES, OPENS, SYNCS
from tests.crash.judging import State
from tests.crash.process import Point, Run
from tests.crash.trials import Play, Tally, plays

from cachewright.repair.operations import LEFT_OPEN
from cachewright.repair.records import Event

if TYPE_CHECKING:
    from tests.crash.calls import Call
    from tests.crash.judging import Case
    from tests.crash.scenario import Scenario

_FULL: Final = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
_DENIED: Final = (errno.EACCES, errno.EROFS)
_NAMES: Final = (*_FULL, *_DENIED, errno.ESTALE)
_LOOKS: Final = (errno.EIO, errno.ESTALE, errno.EACCES)
_ERRORS: Final = {
    **dict.fromkeys(("write", "pwrite64", "writev"), (*_FULL, errno.EINTR)),
    **dict.fromkeys(SYNCS, (*_FULL, errno.EROFS, errno.EINTR)),
    **dict.fromkeys(("rename", "renameat", "renameat2"), (*_NAMES, errno.EXDEV, errno.ENOTEMPTY)),
    **dict.fromkeys(("mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat"), _NAMES),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), (errno.EIO, *_DENIED, errno.ENOTEMPTY)),
    **dict.fromkeys(("fchmod", "fchmodat", "chmod", "utimensat"), (errno.EIO, *_DENIED)),
    **dict.fromkeys(("fchown", "fchownat", "chown", "lchown"), (*_DENIED, errno.EDQUOT)),
    **dict.fromkeys(("fsetxattr", "setxattr", "ftruncate"), (errno.EIO, errno.ENOSPC)),
    **dict.fromkeys(("stat", "lstat", "fstat", "newfstatat", "statx"), _LOOKS),
    **dict.fromkeys(("getdents64", "readlink", "readlinkat"), _LOOKS),
    **dict.fromkeys(("read", "pread64", "readv"), (errno.EIO, errno.ESTALE, errno.EINTR)),
    **dict.fromkeys(("flock", "fcntl"), (errno.EINTR, errno.EIO)),
}
"""What each call may give, by its name; one that only looks gives them in turn."""
_OPEN: Final = (errno.EMFILE, errno.EACCES, errno.EIO, errno.ESTALE, errno.EINTR)
_MAKE: Final = (*_OPEN, errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_HEAD: Final = "/journal.head.new"
_LASTING: Final = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE})
"""Errors that mostly come to stay: then every later call of that name fails, too."""


def fail_verbs(scenarios: Sequence[Scenario], top: Path, *, quick: bool) -> Tally:
    """``quick``: only calls that can change a disk, one error each."""
    tally = Tally()
    for play in plays([one for one in scenarios if one.journals], top):
        needed = frozenset(_needed(play))
        for index, call in enumerate(play.calls):
            for point in _points(call, index, play, quick=quick):
                _fail(play, point, tally, needed=call in needed)
    return tally


def _needed(play: Play) -> Iterator[Call]:
    """The calls without which what is said to be done may not last: all that make something
    durable, up to the record that says so.  Not those for the journal's head, which the next
    append moves on, nor that for a new
    quarantine: without it the verb has none, or another."""
    syncs = [call for call in play.calls if call.name == "fsync"]  # SQLite has its own way
    records = [at for at, call in enumerate(syncs) if call.path.endswith("/journal.jsonl")]
    before = ""
    for call in syncs[: records[-1] + 1]:
        of_head = before.endswith(_HEAD) or call.path.endswith(_HEAD)
        of_quarantine = call.path == str(play.stage.top)
        if not of_head and not of_quarantine:
            yield call
        before = call.path


def _points(call: Call, index: int, play: Play, *, quick: bool) -> Iterator[Point]:
    if not call.path.startswith(str(play.stage.top)) or (quick and not call.changes):
        return
    if call.name == "fcntl" and ".db" in os.path.splitext(call.path)[1]:
        return  # a lock of SQLite's: what its failing means is for the store to know
    if call.name in OPENS:
        errors: tuple[int, ...] = _MAKE if call.changes else _OPEN
    else:
        errors = _ERRORS.get(call.name, ())
    if errors and (quick or not call.changes):
        errors = (errors[index % len(errors)],)
    for error in errors:
        yield Point(call.name, call.number, error)
        if call.changes and error in _LASTING:
            yield _onwards(call, error, str(play.stage.state))


def _onwards(call: Call, error: int, state: str) -> Point:
    """The file system is of no more use from this call on: that of the cache, or if the call
    is for the state directory, all of them."""
    spared = "" if call.path.startswith(state) else state
    names = {errno.EMFILE: OPENS, errno.ENOSPC: ALLOCATES, errno.EDQUOT: ALLOCATES}.get(
        error, CHANGES
    )

    def later(one: Call) -> bool:
        wanted = one.changes or error == errno.EMFILE
        return one.name in names and wanted and not (spared and one.path.startswith(spared))

    return Point(call.name, call.number, error, later, names)


def _fail(play: Play, point: Point, tally: Tally, *, needed: bool) -> None:
    case, run = play.disturbed(point)
    if not run.reached:
        tally.missed += 1
        return
    onwards = " and from then on" if point.later else ""
    name = (
        f"{play.scenario.name}, {errno.errorcode[point.error]} from {point.name} "
        f"{point.number}{onwards}"
    )
    result = run.outcomes[0].result.value if run.outcomes else "raised"
    tally.count(name, _judged(case, run, point, needed=needed), result)


def _judged(case: Case, run: Run, point: Point, *, needed: bool) -> Iterator[str]:
    if run.odd:
        yield f"it ended by {run.odd.strip().splitlines()[-1]}"
    yield from case.after_crash(case.world())
    said_done = [one.result.value for one in run.outcomes] == ["done"]
    if said_done:
        yield from _really_done(case)
        if needed and point.error != errno.EINTR:  # after which Python asks again
            yield "it said done though it could not be made durable"
    yield from case.recovered()
    if not said_done and not _may_be_new(case, run):
        yield f"it is new though the verb said {run.error or run.outcomes}"


def _really_done(case: Case) -> Iterator[str]:
    operation = case.operation()
    state = case.state(case.world())
    if state is not State.NEW:
        yield f"it said done, and it is {state}"
    if operation is None or operation.event is not Event.DONE:
        yield f"it said done, and the journal says {operation and operation.event}"


def _may_be_new(case: Case, run: Run) -> bool:
    """After a verb that did not say done: only where it says that something could be neither
    ended nor put back yet; or that it is kept, or nobody heard of it, and it can be undone."""
    said = run.error or run.outcomes[0].reason if run.error or run.outcomes else ""
    operation = case.operation()
    told = "It is kept in" in said or case.unheard()
    undoable = operation is not None and operation.can_undo and told
    return LEFT_OPEN in said or undoable or case.state(case.world()) is not State.NEW
