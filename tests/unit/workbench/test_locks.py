"""Locks of a stranger's cache through the one object both faces talk to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright import holders
from cachewright.holders import Survey
from cachewright.locks import openers
from cachewright.model import (
    Confirm,
    FindingKind,
    HoldVerdict,
    LockReport,
    Result,
    Severity,
)
from cachewright.repair.plan import load, save
from cachewright.workbench import Workbench, chosen_lock, undo

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

NAMES = ("dead.dir", "dead.lnk", "dead.lock")


@pytest.fixture
def cache(tmp_path: Path, stranger: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    import stranger_cache

    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    place = tmp_path / "cache"
    place.mkdir()
    (place / "stranger.cache").touch()
    record = json.dumps({"id": stranger, **stranger_cache.whole_identity(), "start": 1})
    (place / "dead.lock").write_text(record)
    (place / "dead.lnk").symlink_to(record)
    (place / "dead.dir").mkdir()
    (place / "dead.dir" / "owner.json").write_text(record)
    (place / "whose.lock").write_text('{"id": "whose"}')
    return place


@pytest.fixture
def bench(cache: Path) -> Iterator[Workbench]:
    with Workbench.open(os.fsencode(cache)) as opened:
        yield opened


def verdicts(locks: tuple[LockReport, ...]) -> dict[str, HoldVerdict]:
    return {os.path.basename(one.path).decode(): one.verdict for one in locks}


def test_a_strangers_format_is_found_and_its_locks_are_judged(bench: Workbench) -> None:
    assert bench.format_name == "stranger"
    result = bench.check()
    stale, unproven = HoldVerdict.STALE, HoldVerdict.UNPROVEN
    assert verdicts(result.locks) == {**dict.fromkeys(NAMES, stale), "whose.lock": unproven}
    kinds = sorted((one.kind, one.severity) for one in result.findings)
    assert kinds == [
        *[(FindingKind.STALE_LOCK, Severity.PROBLEM)] * 3,
        (FindingKind.UNPROVEN_LOCK, Severity.NOTICE),
    ]


def test_one_click_takes_the_proven_ones_and_only_those(bench: Workbench, cache: Path) -> None:
    plan = bench.plan(stale_only=True)
    assert {step.confirm for step in plan.steps} == {Confirm.CLICK}
    done = bench.repair(plan, apply=True)
    assert [one.result for one in done] == [Result.DONE] * 3
    assert sorted(os.listdir(cache)) == ["stranger.cache", "whose.lock"]
    for one in done:
        assert undo(one.undo).result is Result.DONE
    assert verdicts(bench.check().locks)["dead.dir"] is HoldVerdict.STALE


def test_a_plan_keeps_its_locks_as_a_file(bench: Workbench, cache: Path, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "plan.json")
    save(bench.plan(), path)
    plan = load(path)
    typed = {step.id: step.wanted for step in plan.steps if step.confirm is Confirm.TYPED}
    assert list(typed.values()) == ["whose"]
    done = bench.repair(plan, apply=True, confirmations=typed)
    assert [one.result for one in done] == [Result.DONE] * 4
    assert os.listdir(cache) == ["stranger.cache"]


def test_unlocking_wants_the_id_typed(bench: Workbench, cache: Path) -> None:
    lock = chosen_lock(bench.root, bench.locks(), "whose")
    plan = bench.unlocking(lock)
    (step,) = plan.steps
    (refused,) = bench.repair(plan, apply=True, confirmations={step.id: "who"})
    assert refused.result is Result.REFUSED
    (done,) = bench.repair(plan, apply=True, confirmations={step.id: "whose"})
    assert done.result is Result.DONE
    assert not (cache / "whose.lock").exists()


def test_who_takes_it_between_the_plan_and_the_click_keeps_it(
    bench: Workbench, cache: Path, other: Starter
) -> None:
    plan = bench.plan(stale_only=True)
    code = """
import json
path, record = sys.argv[1:]
os.unlink(path)
with open(path, 'x') as file: file.write(record)
ready()
"""
    other(code, cache / "dead.lock", '{"id": "new"}')
    done = bench.repair(plan, apply=True)
    assert sorted(one.result for one in done) == [Result.DONE, Result.DONE, Result.REFUSED]
    assert (cache / "dead.lock").read_text() == '{"id": "new"}'


def hiding(*_arguments: Any, **_more: Any) -> Survey:
    return Survey((), 1, "", 0, ("init",))


@pytest.fixture
def one_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process cannot be inspected, as on most computers."""
    real = holders.look_around
    monkeypatch.setattr(holders, "survey", hiding)
    monkeypatch.setattr(holders, "look_around", lambda *a, **b: (hiding(), real(*a, **b)[1]))


@pytest.mark.usefixtures("one_hidden")
def test_a_check_asks_the_kernel_and_watching_never_does(
    bench: Workbench, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = verdicts(bench.locks())
    assert before["dead.lock"] is HoldVerdict.UNPROVEN
    assert verdicts(bench.check().locks)["dead.lock"] is HoldVerdict.STALE
    monkeypatch.setattr(openers, "sole_opener", lambda _fd: pytest.fail("a lease was taken"))
    assert verdicts(bench.locks())["dead.lock"] is HoldVerdict.STALE
    os.utime(cache / "dead.lock")
    now = verdicts(bench.locks())
    assert (now["dead.lock"], now["dead.dir"]) == (HoldVerdict.UNPROVEN, HoldVerdict.STALE)


def test_locks_that_come_and_go_are_seen(bench: Workbench, cache: Path) -> None:
    assert "dead.lock" in verdicts(bench.locks())
    (cache / "dead.lock").unlink()
    (cache / "new.lock").write_text("{}")
    assert set(verdicts(bench.locks())) == {"dead.dir", "dead.lnk", "whose.lock", "new.lock"}


def test_a_look_that_decides_sees_who_came_after_the_inventory(
    bench: Workbench, cache: Path, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = holders.look_around
    record = (cache / "dead.lock").read_text()
    pids: list[int] = []

    def too_late(*arguments: Any, **more: Any) -> Any:
        (cache / "dead.lock").unlink()
        code = "file = open(sys.argv[1], 'x'); file.write(sys.argv[2]); file.flush(); ready()"
        pids.append(other(code, cache / "dead.lock", record).pid)
        monkeypatch.setattr(holders, "look_around", real)
        return real(*arguments, **more)

    bench.check()
    monkeypatch.setattr(holders, "look_around", too_late)
    found = next(one for one in bench.locks(decide=True) if one.path.endswith(b"dead.lock"))
    assert found.verdict is HoldVerdict.HELD
    assert [one.pid for one in found.holders] == pids
