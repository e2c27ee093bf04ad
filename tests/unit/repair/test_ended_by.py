from __future__ import annotations

from cachewright.errors import Changed, ConditionUnheeded
from cachewright.model import Confirm, Identity, PlanStep, Result, StepKind
from cachewright.repair.releasing import unconditionally
from cachewright.repair.work import ended_by

STEP = PlanStep(
    "s1",
    StepKind.RELEASE_OBJECT_LOCK,
    "web.tfstate",
    b"s3://b/web.tfstate.tflock",
    Identity(0, 0, 0, 0, 0, 0),
    Confirm.TYPED,
    "",
    typed="an-id",
)


def test_what_a_second_confirmation_would_allow_is_named() -> None:
    """Both faces ask for it by this; nobody reads it out of a sentence."""
    error = ConditionUnheeded(path=STEP.path, reason="it ignores it", wants=unconditionally(STEP))
    ended = ended_by(STEP, error)
    assert ended.result is Result.REFUSED
    assert ended.wants == unconditionally(STEP)
    assert ended.reason == "s3://b/web.tfstate.tflock was left untouched: it ignores it."


def test_no_other_refusal_asks_for_more() -> None:
    ended = ended_by(STEP, Changed(path=STEP.path, what="another lock is there now"))
    assert ended.result is Result.REFUSED
    assert ended.wants == ""
