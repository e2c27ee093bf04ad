"""Killed at any step of taking a lock away: the old lock, an equal one, or none has the name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHAPES = ("work.lock", "work.lnk", "work.dir")

KILLED = """
import json, os, shutil, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
top, name, known = Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "known"

import stranger_cache
from cachewright import holders
from cachewright.diagnosis.locks import offer_of
from cachewright.locks.looking import Around, look
from cachewright.model import Plan
from cachewright.repair import breaking, execute, journal, stand_in, taking
from cachewright.repair.unlocking import lock_step
from cachewright.storage.anchored import Directory

def nobody(_prefixes, _devices):
    return holders.Survey((), 0, "", 0)
holders.kernel_locks = lambda: ()  # all processes need not be asked each time
os.fsync = lambda fd: None  # killed, not without power: nothing is lost that was not synced

def record(at):
    if at.is_symlink():
        return os.readlink(at)
    return (at / "owner.json" if at.is_dir() else at).read_text()

def make(cache):
    cache.mkdir(parents=True)
    (cache / "stranger.cache").touch()
    text = json.dumps({"id": "old", **stranger_cache.whole_identity(), "start": 1})
    at = cache / name
    if name.endswith(".lnk"): at.symlink_to(text)
    elif name.endswith(".dir"):
        at.mkdir()
        (at / "owner.json").write_text(text)
    else: at.write_text(text)
    return at, text

def broken(cache, state):
    log = journal.Journal.open(os.fsencode(state))
    with Directory.open(os.fsencode(cache)) as root:
        knowledge = stranger_cache.StrangerKnowledge(root)
        if not known:
            knowledge.own_record = lambda place: None
        (place,) = knowledge.locks()
        report = look(root, place, knowledge, Around.now(root, nobody(0, 0), decide=True))
        plan = Plan(root.path, "stranger", (lock_step(report, offer_of(report)),))
        (outcome,) = execute.execute(plan, root=root, form=stranger_cache.Stranger(),
            knowledge=knowledge, journal=log, rejudge=None, apply=True, look=nobody)
    assert outcome.result == "done", outcome

def count_down(steps):
    # Every call that changes a disk, before and after it.
    def wrap(owner, attribute):
        real = getattr(owner, attribute)
        def counted(*arguments, **more):
            tick()
            try: return real(*arguments, **more)
            finally: tick()
        setattr(owner, attribute, counted)
    left = [steps]
    def tick():
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), 9)
    for owner, attribute in ((taking, "exchange"), (taking, "rename_noreplace"),
            (taking, "remove_tree"), (breaking, "sync_directory"), (stand_in, "sync_directory"),
            (journal.Journal, "append"), (os, "fsync"), (os, "symlink"), (os, "mkdir"),
            (os, "fchmod"), (os, "unlink")):
        wrap(owner, attribute)

told, steps, killed = [], 0, True
while killed:
    place = top / str(steps)
    at, text = make(place / "cache")
    inode = at.lstat().st_ino
    child = os.fork()
    if child == 0:
        count_down(steps)
        broken(place / "cache", place / "state")
        os._exit(0)
    killed = os.waitpid(child, 0)[1] != 0
    kept = [one for one in (place / ".cachewright-quarantine").glob("*/*")
            if one.name in {"item", "stage"} and one.lstat().st_ino == inode]
    old = os.path.lexists(at) and at.lstat().st_ino == inode
    other = record(at) if os.path.lexists(at) and not old else None
    whole = [record(one) == text for one in ([at] if old else kept)]
    told.append({"old": old, "kept": len(kept), "whole": all(whole),
        "other": None if other is None else "equal" if other == text else
                 json.loads(other)["pid"] == child})
    steps += 1
print(json.dumps(told))
"""


@pytest.mark.parametrize("known", ["known", "copied"])
@pytest.mark.parametrize("name", SHAPES)
def test_killed_anywhere_nothing_is_lost(
    tmp_path: Path, stranger: str, name: str, known: str
) -> None:
    folder = Path(__file__).parents[3] / stranger
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(tmp_path), name, known],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told) > 20
    for one in told:
        assert one["whole"]
        assert one["old"] + one["kept"] == 1  # the old lock is in one of the two places
    seen = {(one["old"], one["other"]) for one in told}
    stand_in = True if known == "known" else "equal"
    assert seen == {(True, None), (False, stand_in), (False, None)}
