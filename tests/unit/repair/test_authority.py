"""Root leaves places alone that other users may change; in its own it repairs as anybody does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cachewright.errors import Refused
from cachewright.model import Result, StepKind
from cachewright.repair.authority import refuse_for_root
from cachewright.repair.keeping import purge
from cachewright.repair.publish import publish
from cachewright.repair.records import Event
from cachewright.repair.recover import recover
from cachewright.repair.undo import undo
from cachewright.storage.anchored import Directory

ENTRY = StepKind.QUARANTINE_ENTRY
NOBODY = 65534

pytestmark = pytest.mark.usefixtures("only_root")

OTHERS: dict[str, Callable[[Path], None]] = {
    "the cache is another's": lambda cache: os.chown(cache, NOBODY, NOBODY),
    "what holds it is another's": lambda cache: os.chown(cache.parent, NOBODY, NOBODY),
    "all may write to it": lambda cache: cache.chmod(0o777),
    "all may write to it, and it is sticky": lambda cache: cache.chmod(0o1777),
    "all may write to what holds it": lambda cache: cache.parent.chmod(0o777),
    "a group may write to it": lambda cache: (os.chown(cache, 0, NOBODY), cache.chmod(0o775))[1],
}
OWN: dict[str, Callable[[Path], None]] = {
    "nobody else may write to it": lambda cache: cache.chmod(0o755),
    "what holds it is sticky, as /tmp is": lambda cache: cache.parent.chmod(0o1777),
    "root's group may write to it": lambda cache: cache.chmod(0o775),
    "an entry is another's": lambda cache: os.chown(cache / "bad", NOBODY, NOBODY),
}


def refused(cache: Path) -> bool:
    with Directory.open(os.fsencode(cache)) as root:
        try:
            refuse_for_root(root)
        except Refused as error:
            return "runs as root" in str(error)
    return False


@pytest.mark.parametrize("how", OTHERS)
def test_where_others_may_change_it_root_leaves_it_alone(cache: Path, how: str) -> None:
    assert not refused(cache)
    OTHERS[how](cache)
    assert refused(cache)


@pytest.mark.parametrize("how", OWN)
def test_what_is_root_s_own_is_repaired(cache: Path, how: str) -> None:
    OWN[how](cache)
    assert not refused(cache)


def test_who_is_not_root_is_stopped_by_the_system_itself(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(cache, NOBODY, NOBODY)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    assert not refused(cache)


def test_the_sentence_says_whose_it_is_and_what_to_do(cache: Path) -> None:
    os.chown(cache, NOBODY, NOBODY)
    with Directory.open(os.fsencode(cache)) as root, pytest.raises(Refused) as told:
        refuse_for_root(root)
    assert "nobody may change" in str(told.value)
    assert "sudo -u nobody cachewright" in str(told.value)


def test_every_verb_that_changes_something_heeds_it(bench: Any, tmp_path: Path) -> None:
    done = bench.one(ENTRY, "bad")
    assert done.result is Result.DONE
    bench.journal.append("x", Event.STARTED, bench.journal.records()[0].fields)
    cache, state = bench.path, tmp_path / "state"
    os.chown(cache, NOBODY, NOBODY)
    before = sorted(cache.rglob("*")), sorted(bench.quarantine.rglob("*"))
    with pytest.raises(Refused):
        bench.one(ENTRY, "good")
    with pytest.raises(Refused):
        publish(cache / "good", cache / "good", root=cache, state_dir=state)
    assert undo(bench.journal, done.undo).result is Result.REFUSED
    assert [one.result for one in recover(bench.journal)] == [Result.REFUSED]
    os.chown(cache.parent, NOBODY, NOBODY)
    assert [one.result for one in purge(bench.journal, 0.0)] == [Result.REFUSED]
    assert (sorted(cache.rglob("*")), sorted(bench.quarantine.rglob("*"))) == before


def test_a_record_outside_of_the_cache_too(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    record = tmp_path / "project" / "shelf.lock"
    record.write_bytes(b"good line\npoison\n")
    os.chown(tmp_path / "project", NOBODY, NOBODY)
    step = StepKind.DROP_POISONED_CHECKSUM
    assert bench.one(step, record, detail={"drop": "poison\n"}).result is Result.REFUSED
    assert record.read_bytes() == b"good line\npoison\n"
