"""Releasing locks in a bucket and a table of a real server: only the one judged, asked once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import wire

from cachewright.model import (
    Access,
    CancelToken,
    Confirm,
    LockReport,
    Outcome,
    Plan,
    Result,
    StepKind,
)
from cachewright.repair import plan_file
from cachewright.repair.journal import Journal
from cachewright.repair.operations import operations
from cachewright.workbench import Options, chosen_lock, history, open_bench, unconditionally, undo

KEY = "a/terraform.tfstate.tflock"
BODY = b'{"ID":"one","Operation":"OperationTypeApply","Who":"me@here"}'
OTHER = b'{"ID":"two","Who":"you@there"}'


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))


@dataclass
class Scene:
    """A bucket with one lock, looked at by way of the wire."""

    aws: Any
    between: wire.Wire
    bucket: str
    access: Access

    @property
    def root(self) -> bytes:
        return f"s3://{self.bucket}".encode()

    def judged(self, wanted: str = "one") -> tuple[LockReport, Plan]:
        with open_bench(self.root, options=Options(access=self.access)) as bench:
            lock = chosen_lock(bench.root, bench.locks(), wanted)
            return lock, bench.unlocking(lock)

    def run(self, plan: Plan, typed: str | None = "one", *, any_way: bool = False) -> Outcome:
        self.between.asked.clear()
        step = plan.steps[0]
        said = {} if typed is None else {step.id: typed}
        if any_way and typed is not None:
            said[unconditionally(step)] = typed
        with open_bench(self.root, options=Options(access=self.access)) as bench:
            (outcome,) = bench.repair(plan, apply=True, confirmations=said)
        return outcome

    @property
    def body(self) -> bytes | None:
        found: bytes | None = self.aws.body(self.bucket, KEY)
        return found

    @property
    def deletes(self) -> int:
        """How often the lock itself was asked to be deleted."""
        return len(self.between.of("DELETE", KEY))


@pytest.fixture
def scene(aws: Any, between: wire.Wire) -> Scene:
    bucket = aws.bucket()
    aws.put(bucket, KEY, BODY, ContentType="application/json")
    return Scene(aws, between, bucket, Access(endpoint_url=between.endpoint, timeout_s=20.0))


def events() -> list[str]:
    with closing(Journal.open()) as journal:
        return [record.event.value for record in journal.records()]


def test_the_lock_is_deleted_by_condition_after_the_condition_was_tried(scene: Scene) -> None:
    lock, plan = scene.judged()
    outcome = scene.run(plan)
    assert (outcome.result, scene.body) == (Result.DONE, None)
    assert outcome.reason == "Released; its record is kept in the journal."
    assert scene.deletes == 1
    assert scene.between.of("DELETE", KEY)[0].headers["if-match"] == lock.etag
    order = [one.key == KEY for one in scene.between.asked if one.method in {"PUT", "DELETE"}]
    assert order == [False, False, False, True]
    assert events() == ["started", "done"]


def test_what_is_journaled_is_enough_to_put_it_back_and_holds_no_secret(scene: Scene) -> None:
    _lock, plan = scene.judged()
    scene.run(plan)
    with closing(Journal.open()) as journal:
        (one,) = operations(journal.records())
        content = Path(os.fsdecode(journal.path)).read_text()
    assert (one.step, one.path) == (StepKind.RELEASE_OBJECT_LOCK, plan.steps[0].path)
    assert one.started["access"]["endpoint_url"] == scene.between.endpoint
    assert one.started["format"] == "terraform-state"
    assert "SECRET" not in content
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in json.dumps(one.started)


@pytest.mark.parametrize("typed", [None, "", "two", "ONE", "one ", KEY])
def test_only_the_locks_own_id_confirms(scene: Scene, typed: str | None) -> None:
    _lock, plan = scene.judged()
    outcome = scene.run(plan, typed)
    assert (outcome.result, scene.body) == (Result.REFUSED, BODY)
    assert outcome.reason.endswith("one must be typed to confirm this step.")
    assert {one.method for one in scene.between.asked} == {"GET"}
    assert events() == []


@pytest.mark.parametrize(
    "spoil", [{"confirm": Confirm.CLICK}, {"typed": "easy"}, {"typed": "", "subject": "easy"}]
)
def test_a_plan_cannot_say_that_less_is_enough(scene: Scene, spoil: dict[str, Any]) -> None:
    _lock, plan = scene.judged()
    forged = replace(plan, steps=(replace(plan.steps[0], **spoil),))
    for typed in ("easy", None):
        outcome = scene.run(forged, typed)
        assert (outcome.result, scene.body) == (Result.REFUSED, BODY)
    assert scene.deletes == 0


@pytest.mark.parametrize(
    "spoil",
    [
        {"detail": {}},
        {"detail": {"fingerprint": 1, "etag": '"x"'}},
        {"detail": {"fingerprint": "x", "etag": ""}},
        {"path": b"s3://another-bucket/a.tflock"},
        {"path": b"/etc/passwd"},
        {"path": b"s3://\xff"},
        {"step": StepKind.RELEASE_LEASE},
        {"step": StepKind.QUARANTINE_ENTRY},
    ],
)
def test_a_step_that_fits_no_lock_is_refused(scene: Scene, spoil: dict[str, Any]) -> None:
    _lock, plan = scene.judged()
    outcome = scene.run(replace(plan, steps=(replace(plan.steps[0], **spoil),)))
    assert (outcome.result, scene.body, scene.deletes) == (Result.REFUSED, BODY, 0)


def test_a_plan_survives_being_a_file(scene: Scene, tmp_path: Path) -> None:
    _lock, plan = scene.judged()
    file = os.fsencode(tmp_path / "plan.json")
    plan_file.save(plan, file)
    assert plan_file.load(file) == plan
    assert scene.run(plan_file.load(file)).result is Result.DONE


def test_nothing_is_asked_in_a_dry_run(scene: Scene) -> None:
    _lock, plan = scene.judged()
    scene.between.asked.clear()
    with open_bench(scene.root, options=Options(access=scene.access)) as bench:
        (outcome,) = bench.repair(plan, apply=False)
    assert (outcome.result, outcome.reason) == (Result.SKIPPED, "dry run")
    assert not scene.between.asked


def test_a_stopped_run_skips_the_rest(scene: Scene) -> None:
    _lock, plan = scene.judged()
    token = CancelToken()
    token.cancel()
    with open_bench(scene.root, options=Options(access=scene.access)) as bench:
        said = {plan.steps[0].id: "one"}
        (outcome,) = bench.repair(plan, apply=True, confirmations=said, cancel=token)
    assert (outcome.result, scene.body) == (Result.SKIPPED, BODY)


# Somebody else was quicker


def test_a_lock_that_changed_since_it_was_judged_stays(scene: Scene) -> None:
    _lock, plan = scene.judged()
    scene.aws.put(scene.bucket, KEY, OTHER)
    outcome = scene.run(plan)
    assert (outcome.result, scene.body, scene.deletes) == (Result.REFUSED, OTHER, 0)
    assert "another lock is there now" in outcome.reason
    assert "left untouched" in outcome.reason


def test_the_same_text_of_another_version_is_another_lock(scene: Scene) -> None:
    lock, plan = scene.judged()
    detail = {"fingerprint": lock.fingerprint, "etag": '"another"'}
    outcome = scene.run(replace(plan, steps=(replace(plan.steps[0], detail=detail),)))
    assert (outcome.result, scene.body, scene.deletes) == (Result.REFUSED, BODY, 0)


def test_a_lock_that_is_gone_by_now_is_told(scene: Scene) -> None:
    _lock, plan = scene.judged()
    scene.aws.s3.delete_object(Bucket=scene.bucket, Key=KEY)
    outcome = scene.run(plan)
    assert (outcome.result, scene.deletes) == (Result.REFUSED, 0)
    assert "somebody released it" in outcome.reason


@pytest.mark.parametrize(("then", "said"), [(OTHER, "another lock is there"), (None, "released")])
def test_a_lock_that_changes_at_the_last_moment_stays(
    scene: Scene, then: bytes | None, said: str
) -> None:
    _lock, plan = scene.judged()

    def at_the_last_moment(asked: wire.Asked) -> wire.Reply | None:
        if (asked.method, asked.key) == ("DELETE", KEY):
            scene.aws.s3.delete_object(Bucket=scene.bucket, Key=KEY)
            if then is not None:
                scene.aws.put(scene.bucket, KEY, then)
        return None

    scene.between.rule = at_the_last_moment
    outcome = scene.run(plan)
    assert (outcome.result, scene.body, scene.deletes) == (Result.REFUSED, then, 1)
    assert said in outcome.reason
    assert events() == ["started", "rolled-back"]


def test_a_lock_that_is_taken_right_after_is_told(scene: Scene) -> None:
    _lock, plan = scene.judged()

    def right_after(asked: wire.Asked) -> wire.Reply | None:
        if (asked.method, asked.key) == ("DELETE", KEY):
            reply = scene.between.forward(asked)
            scene.aws.put(scene.bucket, KEY, OTHER)
            return reply
        return None

    scene.between.rule = right_after
    outcome = scene.run(plan)
    assert (outcome.result, scene.body) == (Result.DONE, OTHER)
    assert outcome.reason.endswith("Somebody has taken it again since.")


# Stores that do not compare


def ignoring(scene: Scene) -> Callable[[wire.Asked], wire.Reply | None]:
    return lambda asked: scene.between.forward(asked.without("if-match"))


def refusing(scene: Scene) -> Callable[[wire.Asked], wire.Reply | None]:
    del scene

    def rule(asked: wire.Asked) -> wire.Reply | None:
        conditional = asked.method == "DELETE" and "if-match" in asked.headers
        return wire.error(501, "NotImplemented") if conditional else None

    return rule


def untried(scene: Scene) -> Callable[[wire.Asked], wire.Reply | None]:
    del scene
    denied = wire.error(403, "AccessDenied")
    return lambda asked: denied if asked.method == "PUT" else None


WAYS = {"ignores": ignoring, "refuses": refusing, "cannot be tried": untried}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_store_that_may_not_compare_is_said_and_left_alone(scene: Scene, way: Any) -> None:
    scene.between.rule = way(scene)
    _lock, plan = scene.judged()
    outcome = scene.run(plan)
    assert (outcome.result, scene.body, scene.deletes) == (Result.REFUSED, BODY, 0)
    assert "--without-condition" in outcome.reason
    assert scene.aws.keys(scene.bucket) == [KEY]
    assert events() == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_person_who_knows_that_may_release_it_all_the_same(scene: Scene, way: Any) -> None:
    scene.between.rule = way(scene)
    _lock, plan = scene.judged()
    outcome = scene.run(plan, any_way=True)
    assert (outcome.result, scene.body, scene.deletes) == (Result.DONE, None, 1)
    conditional = "if-match" in scene.between.of("DELETE", KEY)[0].headers
    assert conditional == (way is untried)
    assert ("without a condition" in outcome.reason) != conditional


def test_the_second_confirmation_is_the_id_too(scene: Scene) -> None:
    scene.between.rule = ignoring(scene)
    _lock, plan = scene.judged()
    step = plan.steps[0]
    with open_bench(scene.root, options=Options(access=scene.access)) as bench:
        said = {step.id: "one", unconditionally(step): "yes"}
        (outcome,) = bench.repair(plan, apply=True, confirmations=said)
    assert (outcome.result, scene.body) == (Result.REFUSED, BODY)


def test_without_a_condition_another_lock_still_stays(scene: Scene) -> None:
    _lock, plan = scene.judged()
    reads = iter(range(100))

    def between_the_reads(asked: wire.Asked) -> wire.Reply | None:
        if (asked.method, asked.key) == ("GET", KEY) and next(reads) == 1:
            scene.aws.put(scene.bucket, KEY, OTHER)
        return scene.between.forward(asked.without("if-match"))

    scene.between.rule = between_the_reads
    outcome = scene.run(plan, any_way=True)
    assert (outcome.result, scene.body, scene.deletes) == (Result.REFUSED, OTHER, 0)


# Answers that are lost


def lost(scene: Scene, *, arrives: bool, then: Callable[[], None] = lambda: None) -> None:
    def rule(asked: wire.Asked) -> wire.Reply | None:
        if (asked.method, asked.key) != ("DELETE", KEY):
            return None
        if arrives:
            scene.between.forward(asked)
        then()
        return wire.CUT

    scene.between.rule = rule


def test_a_lost_answer_is_looked_after_and_was_done(scene: Scene) -> None:
    _lock, plan = scene.judged()
    lost(scene, arrives=True)
    outcome = scene.run(plan)
    assert (outcome.result, scene.body, scene.deletes) == (Result.DONE, None, 1)
    assert outcome.reason.endswith("It was read again: it is gone.")
    assert undo(outcome.undo).result is Result.DONE
    assert scene.body == BODY


def test_a_lost_answer_is_looked_after_and_was_not_done(scene: Scene) -> None:
    _lock, plan = scene.judged()
    lost(scene, arrives=False)
    outcome = scene.run(plan)
    assert (outcome.result, scene.body, scene.deletes) == (Result.FAILED, BODY, 1)
    assert "the lock is still there" in outcome.reason
    assert "not asked again" in outcome.reason
    assert [one.can_undo for one in history()] == [False]


def test_a_lost_answer_and_another_lock_since(scene: Scene) -> None:
    _lock, plan = scene.judged()
    lost(scene, arrives=True, then=lambda: scene.aws.put(scene.bucket, KEY, OTHER))
    outcome = scene.run(plan)
    assert (outcome.result, scene.body, scene.deletes) == (Result.DONE, OTHER, 1)
    assert outcome.reason.endswith("It was read again: another lock is there by now.")


def test_what_cannot_be_looked_after_is_told_and_can_be_put_back(scene: Scene) -> None:
    _lock, plan = scene.judged()
    gone = False

    def rule(asked: wire.Asked) -> wire.Reply | None:
        nonlocal gone
        if gone:
            return wire.CUT
        if (asked.method, asked.key) == ("DELETE", KEY):
            scene.between.forward(asked)
            gone = True
            return wire.CUT
        return None

    scene.between.rule = rule
    outcome = scene.run(plan)
    assert (outcome.result, scene.deletes) == (Result.FAILED, 1)
    assert "could not be read again" in outcome.reason
    scene.between.rule = lambda _asked: None
    assert undo().result is Result.DONE
    assert scene.body == BODY


@pytest.mark.parametrize("answer", [wire.Reply(204), wire.error(412, "PreconditionFailed")])
def test_a_store_whose_answer_is_not_what_is_there_is_not_believed(
    scene: Scene, answer: wire.Reply
) -> None:
    _lock, plan = scene.judged()
    scene.between.rule = lambda asked: (
        answer if (asked.method, asked.key) == ("DELETE", KEY) else None
    )
    outcome = scene.run(plan)
    assert (outcome.result, scene.body, scene.deletes) == (Result.FAILED, BODY, 1)
    assert "the same lock is still there" in outcome.reason


def test_without_the_right_to_delete_nothing_is_done(scene: Scene) -> None:
    _lock, plan = scene.judged()
    denied = wire.error(403, "AccessDenied")
    scene.between.rule = lambda asked: (
        denied if (asked.method, asked.key) == ("DELETE", KEY) else None
    )
    outcome = scene.run(plan)
    assert (outcome.result, scene.body, scene.deletes) == (Result.REFUSED, BODY, 1)
    assert "access is denied (said the test). The object was left untouched." in outcome.reason
    assert events() == ["started", "rolled-back"]


# Bodies that no tool can read


@pytest.mark.parametrize("body", [b"", b"garbage", b'{"ID":"a","ID":"b"}', b"x" * (10 << 20)])
def test_what_cannot_be_read_is_released_by_its_name(scene: Scene, body: bytes) -> None:
    scene.aws.put(scene.bucket, KEY, body)
    lock, plan = scene.judged(KEY)
    assert (lock.garbage, lock.id) == (True, KEY)
    assert scene.run(plan, "one").result is Result.REFUSED
    outcome = scene.run(plan, KEY)
    assert (outcome.result, scene.body) == (Result.DONE, None)
    if len(body) > 1 << 16:
        assert "cannot be undone" in lock.explanation
        assert "cannot be put back" in outcome.reason
        assert outcome.undo is None
        assert [one.can_undo for one in history()] == [False]
    else:
        assert undo(outcome.undo).result is Result.DONE
        assert scene.body == body


# Putting back


def test_undo_puts_the_lock_back_as_it_was_once(scene: Scene) -> None:
    _lock, plan = scene.judged()
    outcome = scene.run(plan)
    again = undo(outcome.undo)
    assert (again.result, again.reason) == (Result.DONE, "The lock is there again, as it was.")
    head = scene.aws.s3.head_object(Bucket=scene.bucket, Key=KEY)
    assert (scene.body, head["ContentType"]) == (BODY, "application/json")
    assert [(one.action, one.undone) for one in history()] == [("undo", False), ("repair", True)]


def test_undo_never_puts_it_over_another(scene: Scene) -> None:
    _lock, plan = scene.judged()
    outcome = scene.run(plan)
    scene.aws.put(scene.bucket, KEY, OTHER)
    again = undo(outcome.undo)
    assert (again.result, scene.body) == (Result.REFUSED, OTHER)
    assert "a lock is there again" in again.reason
    scene.aws.s3.delete_object(Bucket=scene.bucket, Key=KEY)
    assert undo(outcome.undo).result is Result.DONE


def test_undo_looks_before_it_asks_a_store_that_may_not_compare(scene: Scene) -> None:
    _lock, plan = scene.judged()
    outcome = scene.run(plan)
    scene.aws.put(scene.bucket, KEY, OTHER)
    scene.between.rule = lambda asked: scene.between.forward(asked.without("if-none-match"))
    scene.between.asked.clear()
    assert undo(outcome.undo).result is Result.REFUSED
    assert (scene.body, scene.between.of("PUT")) == (OTHER, [])


def test_undo_never_puts_it_over_one_that_comes_at_the_last_moment(scene: Scene) -> None:
    _lock, plan = scene.judged()
    outcome = scene.run(plan)

    def at_the_last_moment(asked: wire.Asked) -> wire.Reply | None:
        if asked.method == "PUT":
            scene.aws.put(scene.bucket, KEY, OTHER)
        return None

    scene.between.rule = at_the_last_moment
    again = undo(outcome.undo)
    assert (again.result, scene.body) == (Result.REFUSED, OTHER)


@pytest.mark.parametrize("arrives", [True, False])
def test_undo_whose_answer_is_lost_tells_what_is_there(scene: Scene, arrives: bool) -> None:
    _lock, plan = scene.judged()
    outcome = scene.run(plan)

    def rule(asked: wire.Asked) -> wire.Reply | None:
        if asked.method != "PUT":
            return None
        if arrives:
            scene.between.forward(asked)
        return wire.CUT

    scene.between.rule = rule
    scene.between.asked.clear()
    again = undo(outcome.undo)
    assert again.result is (Result.DONE if arrives else Result.FAILED)
    assert scene.body == (BODY if arrives else None)
    assert len(scene.between.of("PUT")) == 1


def test_a_release_that_was_torn_away_can_be_taken_back(scene: Scene) -> None:
    """As after a crash between the delete and the journal's last word."""
    _lock, plan = scene.judged()

    with open_bench(scene.root, options=Options(access=scene.access)) as bench:
        store = bench._store  # type: ignore[attr-defined]
        whole = store.delete

        def deleted_and_gone(*arguments: Any, **how: Any) -> bool:
            whole(*arguments, **how)
            raise KeyboardInterrupt

        store.delete = deleted_and_gone
        with pytest.raises(KeyboardInterrupt):
            bench.repair(plan, apply=True, confirmations={plan.steps[0].id: "one"})
    assert (events(), scene.body) == (["started"], None)
    assert undo().result is Result.DONE
    assert scene.body == BODY


# Tables


@pytest.fixture
def table(aws: Any) -> tuple[Any, str, Options]:
    name = aws.table()
    aws.put_item(name, LockID="b/k", Info=BODY.decode())
    aws.put_item(name, LockID="b/k-md5", Digest="0123")
    return aws, name, Options(access=aws.access)


def test_an_item_is_released_and_put_back_and_its_digest_stays(table: Any) -> None:
    aws, name, options = table
    before = aws.items(name)
    with open_bench(f"dynamodb://{name}".encode(), options=options) as bench:
        plan = bench.unlocking(chosen_lock(bench.root, bench.locks(), "one"))
        (outcome,) = bench.repair(plan, apply=True, confirmations={plan.steps[0].id: "one"})
    assert outcome.result is Result.DONE
    assert list(aws.items(name)) == ["b/k-md5"]
    assert undo(outcome.undo).result is Result.DONE
    assert aws.items(name) == before


def test_an_item_that_changed_stays(table: Any) -> None:
    aws, name, options = table
    with open_bench(f"dynamodb://{name}".encode(), options=options) as bench:
        plan = bench.unlocking(chosen_lock(bench.root, bench.locks(), "one"))
        aws.put_item(name, LockID="b/k", Info=OTHER.decode())
        (outcome,) = bench.repair(plan, apply=True, confirmations={plan.steps[0].id: "one"})
    assert outcome.result is Result.REFUSED
    assert aws.items(name)["b/k"]["Info"]["S"] == OTHER.decode()


def test_a_digest_is_never_released_whatever_a_plan_says(table: Any) -> None:
    aws, name, options = table
    with open_bench(f"dynamodb://{name}".encode(), options=options) as bench:
        plan = bench.unlocking(chosen_lock(bench.root, bench.locks(), "one"))
        step = replace(plan.steps[0], path=f"dynamodb://{name}/b/k-md5".encode())
        said = {step.id: "one"}
        (outcome,) = bench.repair(replace(plan, steps=(step,)), apply=True, confirmations=said)
    assert outcome.result is Result.REFUSED
    assert "b/k-md5" in aws.items(name)
