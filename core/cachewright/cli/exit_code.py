"""Exit codes (DESIGN 8), which one a result ends with, and what programs call an error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum

from cachewright.model import CheckResult, FindingKind, Outcome, Result


class ExitCode(IntEnum):
    FINE = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    REFUSED = 4
    FAILED = 5
    INTERRUPTED = 130


def kind_of(error: BaseException) -> str:
    """``RootMissing`` is ``root-missing`` to programs."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()


def of_check(result: CheckResult) -> ExitCode:
    """A problem that was found outweighs places that could not be looked at; an unreadable
    place is the latter, told as a finding."""
    if any(one.kind is not FindingKind.UNREADABLE for one in result.problems):
        return ExitCode.FINDINGS
    if result.problems or not result.complete:
        return ExitCode.INCOMPLETE
    return ExitCode.FINE


def of_outcomes(outcomes: Iterable[Outcome], *, stopped: bool = False) -> ExitCode:
    """The worst of them: a failure outweighs a refusal; steps left out do not count, unless
    they were left out because somebody ``stopped`` the work."""
    results = {one.result for one in outcomes}
    if results & {Result.FAILED, Result.ROLLED_BACK}:
        return ExitCode.FAILED
    if Result.REFUSED in results:
        return ExitCode.REFUSED
    if stopped and Result.SKIPPED in results:
        return ExitCode.INTERRUPTED
    return ExitCode.FINE


def of_look(result: CheckResult) -> ExitCode:
    """For verbs whose purpose is not to find: fine unless something could not be looked at."""
    return ExitCode.FINE if result.complete else ExitCode.INCOMPLETE
