from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cachewright.errors import PlanInvalid
from cachewright.model import (
    Confirm,
    EntryVerdict,
    HoldVerdict,
    Identity,
    Plan,
    PlanStep,
    Result,
    StepKind,
)
from cachewright.repair.execute import PERFORMERS
from cachewright.repair.plan import make_plan
from cachewright.repair.plan_file import document, load, parse, save
from cachewright.repair.undo import _UNDOERS

STAGING = StepKind.QUARANTINE_STAGING
ENTRY = StepKind.QUARANTINE_ENTRY
REPUBLISH = StepKind.REPUBLISH_ENTRY
EXEC = StepKind.RESTORE_EXEC_BIT
DROP = StepKind.DROP_POISONED_CHECKSUM


def test_every_kind_of_step_is_performed_and_undone() -> None:
    assert set(PERFORMERS) == set(_UNDOERS) == set(StepKind)


def test_steps_carry_what_was_judged(bench: Any) -> None:
    before = (bench.path / "bad").stat()
    (bench.path / "bad" / "new").touch()
    (step,) = bench.plan_of(ENTRY, "bad").steps
    assert (step.identity.inode, step.identity.mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert step.signature == bench.tree.signature(bench.tree.find(b"bad"))
    assert (step.subject, step.path) == ("bad", os.fsencode(bench.path / "bad"))


def test_residue_first_records_last_and_one_replacement_per_entry(
    bench: Any, tmp_path: Path
) -> None:
    (tmp_path / "record").touch()
    plan = bench.plan(
        bench.finding(DROP, tmp_path / "record"),
        bench.finding(EXEC, "bad"),
        bench.finding(EXEC, "good"),
        bench.finding(ENTRY, "bad"),
        bench.finding(REPUBLISH, "bad"),
        bench.finding(STAGING, ".tmp-1"),
    )
    assert [(step.step, step.subject) for step in plan.steps] == [
        (STAGING, ".tmp-1"),
        (REPUBLISH, "bad"),
        (EXEC, "good"),
        (DROP, str(tmp_path / "record")),
    ]


def test_only_what_is_wanted(bench: Any) -> None:
    found = [bench.finding(STAGING, ".tmp-1"), bench.finding(ENTRY, "bad")]
    assert [one.step for one in bench.plan(*found, only={ENTRY}).steps] == [ENTRY]
    assert [one.step for one in bench.plan(*found, stale_only=True).steps] == [STAGING]
    assert [one.step for one in bench.plan(*found, findings={found[1].id}).steps] == [ENTRY]
    assert bench.plan(*found, findings=()).steps == ()


def test_the_next_best_offer_serves_when_only_that_is_wanted(bench: Any) -> None:
    first, second = bench.finding(REPUBLISH, "bad"), bench.finding(ENTRY, "bad")
    both = type(first)(
        **{
            **{name: getattr(first, name) for name in first.__slots__},
            "repairs": (*first.repairs, *second.repairs),
        }
    )
    assert [one.step for one in bench.plan(both).steps] == [REPUBLISH]
    assert [one.step for one in bench.plan(both, only={ENTRY}).steps] == [ENTRY]


@pytest.mark.parametrize("verdict", [HoldVerdict.HELD, EntryVerdict.BUSY])
def test_what_is_in_use_is_never_in_a_plan(bench: Any, verdict: Any) -> None:
    found = bench.finding(ENTRY, "bad")
    held = type(found)(
        **{
            **{name: getattr(found, name) for name in found.__slots__},
            "verdict": verdict,
        }
    )
    assert bench.plan(held).steps == ()


def test_typed_steps_are_no_one_click_cleaning(bench: Any) -> None:
    found = bench.finding(STAGING, ".tmp-1", Confirm.TYPED)
    assert bench.plan(found, stale_only=True).steps == ()


def test_another_caches_plan_is_refused(bench: Any) -> None:
    plan = bench.plan_of(ENTRY, "bad")
    for root, form in ((b"/other", "shelf"), (plan.root, "other")):
        with pytest.raises(PlanInvalid):
            bench.run(Plan(root, form, plan.steps))


def test_survives_being_a_file(bench: Any, tmp_path: Path) -> None:
    odd = os.fsencode(bench.path) + b"/\xff\xfe"
    os.mkdir(odd)
    bench.__post_init__()
    finding = bench.finding(ENTRY, "bad", source=b"/mirror/\xff", detail={"files": ["a"]})
    plan = make_plan(
        type("Result", (), {"findings": (finding,), "locks": (), "format": "shelf"})(),
        bench.root,
        bench.tree,
    )
    step = plan.steps[0]
    odd_step = PlanStep(
        **{
            **{name: getattr(step, name) for name in step.__slots__},
            "id": "odd",
            "path": odd,
        }
    )
    plan = Plan(plan.root, plan.format, (*plan.steps, odd_step))
    file = os.fsencode(tmp_path / "plan.json")
    save(plan, file)
    assert load(file) == plan
    steps = json.loads((tmp_path / "plan.json").read_text())["steps"]
    assert (steps[1]["path"][-8:], "path_base64" in steps[0]) == ("\\xff\\xfe", False)


@pytest.mark.parametrize(
    ("root", "path"),
    [
        (b"s3://bucket/a", b"s3://bucket/a/../b//c\n.tflock"),
        (b"dynamodb://table", b"dynamodb://table/bucket/key"),
        (b"s3://bucket", b"s3://bucket/\xff"),
    ],
)
def test_addresses_of_stores_survive_as_they_are(tmp_path: Path, root: bytes, path: bytes) -> None:
    step = PlanStep(
        "1", ENTRY, "e", path, Identity(0, 0, 0, 0, 5, 0), Confirm.TYPED, "w", typed="i"
    )
    plan = Plan(root, "terraform-state", (step,), 7)
    file = os.fsencode(tmp_path / "plan.json")
    save(plan, file)
    assert load(file) == plan


def test_a_loaded_plan_runs(bench: Any, tmp_path: Path) -> None:
    file = os.fsencode(tmp_path / "plan.json")
    save(bench.plan_of(ENTRY, "bad"), file)
    assert bench.run(load(file))[0].result is Result.DONE


def valid() -> dict[str, Any]:
    identity = Identity(1, 2, 0o100644, 4, 5, 6)
    step = PlanStep("1", ENTRY, "e", b"/r/e", identity, Confirm.CLICK, "why")
    return document(Plan(b"/r", "shelf", (step,), 7))


BAD: dict[str, Any] = {
    "schema": lambda plan: plan.update(schema="cachewright.plan/2"),
    "no root": lambda plan: plan.pop("root"),
    "relative root": lambda plan: plan.update(root="r"),
    "root of two kinds": lambda plan: plan.update(root_base64="L290aGVy"),
    "steps": lambda plan: plan.update(steps={}),
    "a step": lambda plan: plan.update(steps=[1]),
    "same id": lambda plan: plan["steps"].append(plan["steps"][0]),
    "kind": lambda plan: plan["steps"][0].update(step="delete-everything"),
    "confirm": lambda plan: plan["steps"][0].update(confirm="never"),
    "dots": lambda plan: plan["steps"][0].update(path="/r/../etc"),
    "NUL": lambda plan: plan["steps"][0].update(path="/r/a\0b"),
    "two slashes": lambda plan: plan["steps"][0].update(path="//r/a"),
    "no address": lambda plan: plan["steps"][0].update(path="s3:/bucket/a"),
    "NUL in an address": lambda plan: plan["steps"][0].update(path="s3://bucket/a\0b"),
    "surrogate": lambda plan: plan["steps"][0].update(path="/r/\udcff"),
    "base64": lambda plan: plan["steps"][0].update(path_base64="*"),
    "identity": lambda plan: plan["steps"][0]["identity"].pop("inode"),
    "extra identity": lambda plan: plan["steps"][0]["identity"].update(more=1),
    "boolean": lambda plan: plan["steps"][0]["identity"].update(inode=True),
    "float": lambda plan: plan["steps"][0]["identity"].update(inode=1.5),
    "no signature": lambda plan: plan["steps"][0]["identity"].update(mode=0o040755),
    "detail": lambda plan: plan["steps"][0].update(detail=[]),
    "size": lambda plan: plan["steps"][0].update(size=None),
    "subject": lambda plan: plan["steps"][0].update(subject=1),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD.keys())
def test_odd_plans_are_refused(spoil: Any) -> None:
    plan = valid()
    assert parse(json.dumps(plan).encode()).steps[0].subject == "e"
    spoil(plan)
    with pytest.raises(PlanInvalid):
        parse(json.dumps(plan).encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"a": 1, "a": 1}', b'{"a": NaN}', b"[" * 100_000, b"1" * 5000],
)
def test_odd_files_are_refused(content: bytes) -> None:
    with pytest.raises(PlanInvalid):
        parse(content)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "missing", "."):
        with pytest.raises(PlanInvalid):
            load(os.fsencode(tmp_path / name))
