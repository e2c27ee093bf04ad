"""A store of locks through the one object both faces talk to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import wire

from cachewright.errors import AddressInvalid, Cancelled, EntryUnknown, PlanInvalid, StoreUnreadable
from cachewright.model import (
    Access,
    CancelToken,
    Confirm,
    Finding,
    FindingKind,
    LockReport,
    Plan,
    Progress,
    Severity,
    StepKind,
)
from cachewright.workbench import Options, StoreBench, Unwatched, open_bench

RELEASE = StepKind.RELEASE_OBJECT_LOCK


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def bucket(aws: Any) -> str:
    name: str = aws.bucket()
    for key, lock_id in (("a.tflock", "one"), ("b.tflock", "two")):
        aws.put(name, key, f'{{"ID": "{lock_id}"}}'.encode())
    aws.put(name, "c.tflock", b"")
    return name


@pytest.fixture
def bench(bucket: str, between: wire.Wire) -> Iterator[StoreBench]:
    access = Access(endpoint_url=between.endpoint, timeout_s=20.0)
    with open_bench(f"s3://{bucket}/".encode(), options=Options(access=access)) as opened:
        assert isinstance(opened, StoreBench)
        yield opened


class Listener(Unwatched):
    def __init__(self) -> None:
        self.told: list[object] = []

    def progress(self, progress: Progress) -> None:
        self.told.append(progress.stage)

    def locks(self, locks: Sequence[LockReport]) -> None:
        self.told.append([one.id for one in locks])

    def findings(self, findings: Sequence[Finding]) -> None:
        self.told.append([one.kind for one in findings])


def test_a_check_tells_every_lock_and_what_may_be_done(bucket: str, bench: StoreBench) -> None:
    listener = Listener()
    result = bench.check(listener)
    kinds = [FindingKind.GARBAGE_LOCK, FindingKind.UNPROVEN_LOCK, FindingKind.UNPROVEN_LOCK]
    assert listener.told == ["locks", ["one", "two", "c.tflock"], kinds]
    assert result is bench.result
    assert (result.root, result.format) == (f"s3://{bucket}".encode(), "terraform-state")
    assert (result.entries, result.staging, result.gaps, result.complete) == ((), (), (), True)
    assert [one.severity for one in result.findings] == [Severity.PROBLEM, *[Severity.NOTICE] * 2]
    for one in result.findings:
        assert one.repair is not None
        assert (one.repair.step, one.repair.confirm) == (RELEASE, Confirm.TYPED)
    assert bench.tree is None
    assert bench.notes() == ()


def test_locks_are_read_anew_each_time(aws: Any, bucket: str, bench: StoreBench) -> None:
    assert [one.id for one in bench.locks()] == ["one", "two", "c.tflock"]
    aws.s3.delete_object(Bucket=bucket, Key="a.tflock")
    assert [one.id for one in bench.locks()] == ["two", "c.tflock"]


def test_what_could_not_be_read_is_a_gap_a_finding_and_a_note(
    bucket: str, bench: StoreBench, between: wire.Wire
) -> None:
    denied = wire.error(403, "AccessDenied", "")
    between.rule = lambda asked: denied if asked.key == "a.tflock" else None
    result = bench.check()
    assert [gap.reason for gap in result.gaps] == ["access is denied"]
    assert FindingKind.UNREADABLE in {one.kind for one in result.findings}
    assert bench.unread() == result.gaps
    assert bench.notes() == (f"s3://{bucket}/a.tflock could not be read: access is denied.",)


def test_a_check_is_stopped_between_two_requests(bench: StoreBench, between: wire.Wire) -> None:
    token = CancelToken()

    def stopping(asked: wire.Asked) -> None:
        if asked.key == "a.tflock":
            token.cancel()

    between.rule = stopping
    with pytest.raises(Cancelled):
        bench.check(cancel=token)
    assert [one.key for one in between.asked] == ["", "a.tflock"]


def test_the_plan_has_a_step_for_each_lock_and_wants_each_typed(
    bucket: str, bench: StoreBench
) -> None:
    plan = bench.plan()
    assert [(one.path, one.wanted, one.confirm) for one in plan.steps] == [
        (f"s3://{bucket}/{key}".encode(), wanted, Confirm.TYPED)
        for key, wanted in (("a.tflock", "one"), ("b.tflock", "two"), ("c.tflock", "c.tflock"))
    ]
    assert bench.result is not None
    chosen = bench.result.findings[0]
    assert [one.path for one in bench.plan(findings=[chosen.id]).steps] == [chosen.path]
    assert len(bench.plan(only={RELEASE}).steps) == 3
    for nothing in (
        bench.plan(findings=()),
        bench.plan(stale_only=True),
        bench.plan(only={StepKind.QUARANTINE_LOCK}),
    ):
        assert nothing.steps == ()


def test_a_plan_runs_step_by_step(aws: Any, bucket: str, bench: StoreBench) -> None:
    plan = bench.plan()
    said = {plan.steps[0].id: "one", plan.steps[1].id: "wrong", plan.steps[2].id: "c.tflock"}
    listener = Listener()
    ended = bench.repair(plan, apply=True, confirmations=said, watcher=listener)
    assert [one.result.value for one in ended] == ["done", "refused", "done"]
    assert aws.keys(bucket) == ["b.tflock"]
    assert listener.told == ["repair"] * 4


def test_another_stores_plan_is_refused(bench: StoreBench) -> None:
    plan = bench.plan()
    for root, form in ((b"s3://other", plan.format), (plan.root, "terraform")):
        with pytest.raises(PlanInvalid, match="another store"):
            bench.repair(Plan(root, form, plan.steps), apply=True)


def test_a_store_has_no_entries(bench: StoreBench) -> None:
    assert not bench.holds_entries
    with pytest.raises(EntryUnknown):
        bench.publish("entry")


def test_a_bench_may_be_closed_before_it_was_used(credentials: dict[str, str]) -> None:
    del credentials
    bench = open_bench(b"s3://bucket")
    bench.close()
    bench.close()


def test_an_address_is_text(credentials: dict[str, str]) -> None:
    del credentials
    with pytest.raises(AddressInvalid, match="an address is UTF-8 text"):
        open_bench(b"s3://\xff")


def test_records_that_are_no_locks_are_one_notice(aws: Any) -> None:
    table = aws.table()
    with open_bench(f"dynamodb://{table}".encode(), options=Options(access=aws.access)) as bench:
        assert bench.check().findings == ()
        for number in range(3):
            aws.put_item(table, LockID=f"b/{number}-md5", Digest="0")
        (finding,) = bench.check().findings
        assert (finding.kind, finding.severity) == (FindingKind.NOT_A_LOCK, Severity.NOTICE)
        assert finding.repairs == ()
        assert sorted(finding.files) == [b"b/0-md5", b"b/1-md5", b"b/2-md5"]
        assert finding.explanation.startswith("3 records here are no locks and are left alone.")
        assert bench.notes() == (finding.explanation,)
        assert bench.plan().steps == ()


def test_a_store_that_cannot_be_listed_fails_as_a_whole(
    bench: StoreBench, between: wire.Wire
) -> None:
    between.rule = lambda _asked: wire.CUT
    for act in (bench.check, bench.locks, bench.notes, bench.plan):
        with pytest.raises(StoreUnreadable):
            act()
