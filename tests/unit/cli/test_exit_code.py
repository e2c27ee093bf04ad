from __future__ import annotations

import pytest

from cachewright.cli import exit_code
from cachewright.model import (
    CheckResult,
    EntryVerdict,
    Finding,
    FindingKind,
    Gap,
    Outcome,
    Result,
    Severity,
)


def finding(kind: FindingKind, severity: Severity) -> Finding:
    return Finding(kind, severity, EntryVerdict.CORRUPT, "e", b"/c/e", "It is so.")


PROBLEM = finding(FindingKind.CORRUPT_ENTRY, Severity.PROBLEM)
UNREADABLE = finding(FindingKind.UNREADABLE, Severity.PROBLEM)
NOTICE = finding(FindingKind.BUSY_ENTRY, Severity.NOTICE)
GAP = Gap(b"/c/x", "permission denied")


@pytest.mark.parametrize(
    ("findings", "gaps", "code"),
    [
        ((), (), 0),
        ((NOTICE,), (), 0),
        ((NOTICE, PROBLEM), (), 1),
        ((), (GAP,), 3),
        ((NOTICE, UNREADABLE), (GAP,), 3),
        ((PROBLEM, UNREADABLE), (GAP,), 1),
    ],
)
def test_a_problem_outweighs_what_could_not_be_looked_at(
    findings: tuple[Finding, ...], gaps: tuple[Gap, ...], code: int
) -> None:
    result = CheckResult(b"/c", "f", "F", (), (), (), findings, gaps)
    assert exit_code.of_check(result) == code
    assert exit_code.of_look(result) == (3 if gaps else 0)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((), 0),
        ((Result.DONE, Result.SKIPPED), 0),
        ((Result.DONE, Result.REFUSED), 4),
        ((Result.REFUSED, Result.FAILED), 5),
        ((Result.ROLLED_BACK,), 5),
    ],
)
def test_the_worst_outcome_counts(results: tuple[Result, ...], code: int) -> None:
    assert exit_code.of_outcomes([Outcome(None, b"/c", one, "") for one in results]) == code


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((), 0),
        ((Result.DONE,), 0),
        ((Result.DONE, Result.SKIPPED), 130),
        ((Result.REFUSED, Result.SKIPPED), 4),
        ((Result.FAILED, Result.SKIPPED), 5),
    ],
)
def test_what_was_stopped_before_it_was_done_is_no_success(
    results: tuple[Result, ...], code: int
) -> None:
    outcomes = [Outcome(None, b"/c", one, "") for one in results]
    assert exit_code.of_outcomes(outcomes, stopped=True) == code
