"""How results read for a person: sentences and small tables, every name made safe to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import humanize

from cachewright.cli import output
from cachewright.cli.options import Look
from cachewright.model import (
    CheckResult,
    Confirm,
    EntryVerdict,
    Evidence,
    Finding,
    HoldVerdict,
    LockReport,
    Outcome,
    Plan,
    PlanStep,
    RepairOffer,
    Result,
    Says,
    Severity,
)
from cachewright.report.command import command
from cachewright.text import display, is_address, timestamp

_FILES_SHOWN: Final = 10

_MARKS: Final = {Says.ALIVE: "!", Says.BAD: "!", Says.UNKNOWN: "?", Says.DEAD: "-", Says.GOOD: "-"}
"""What speaks against a repair or the content, what is not known, and what is as it should be."""

_COLOURS: Final = {
    Severity.PROBLEM: "red",
    Severity.NOTICE: "cyan",
    Result.DONE: "green",
    Result.SKIPPED: "cyan",
    Result.REFUSED: "yellow",
    Result.FAILED: "red",
    Result.ROLLED_BACK: "red",
}


def size(of_bytes: int) -> str:
    return humanize.naturalsize(of_bytes)


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def check(result: CheckResult, look: Look) -> Iterator[str]:
    """The whole answer of ``check``: what was seen, then each finding, problems first."""
    yield from _header(result)
    for severity in (Severity.PROBLEM, Severity.NOTICE):
        for one in result.findings:
            if one.severity is severity:
                yield ""
                yield from finding(one, look)
    yield ""
    yield _conclusion(result)
    for gap in result.gaps:
        yield f"  Not looked at: {display(gap.path)} ({display(gap.reason)})"


def _header(result: CheckResult) -> Iterator[str]:
    yield f"{display(result.root)} ({display(result.title)})"
    store = is_address(result.root)
    if result.entries or not (store or result.locks):  # where only locks lie, none is missed
        entries = counted(len(result.entries), "entry", "entries")
        total = size(sum(one.size for one in result.entries))
        yield f"{entries}, {total}{_tally(one.verdict for one in result.entries)}."
    if result.locks or store:
        locks = counted(len(result.locks), "lock", "locks")
        yield f"{locks}{_tally(one.verdict for one in result.locks)}."
    if result.staging:
        places = counted(len(result.staging), "staging place", "staging places")
        yield f"{places}{_tally(one.verdict for one in result.staging)}."
    if result.uninspected:
        processes = counted(result.uninspected, "process", "processes")
        yield f"{processes} could not be inspected."


def _tally(verdicts: Iterable[EntryVerdict | HoldVerdict]) -> str:
    counts = Counter(one.value for one in verdicts)
    order = [one.value for one in (*EntryVerdict, *HoldVerdict)]
    words = ", ".join(f"{counts[name]:,} {name}" for name in order if counts[name])
    return f": {words}" if words else ""


def _conclusion(result: CheckResult) -> str:
    problems = len(result.problems)
    notices = len(result.findings) - problems
    also = f" {counted(notices, 'notice', 'notices')}." if notices else ""
    if problems:
        return f"{counted(problems, 'problem', 'problems')} found.{also}"
    if result.complete:
        return f"No problems found.{also}"
    return f"No problems found in what could be looked at.{also}"


def finding(one: Finding, look: Look) -> Iterator[str]:
    """Severity, subject, explanation, files, evidence, and each repair with its command."""
    word = output.styled(one.severity.value.capitalize(), _COLOURS[one.severity])
    yield f"{word}: {display(one.subject)} ({one.kind.value})"
    yield f"  {display(one.explanation)}"
    yield f"  Path: {display(one.path)}"
    yield from _files(one.files)
    yield from _evidence(one.evidence)
    for number, offer in enumerate(one.repairs):
        asked = f" (its {_typed_what(offer)} must be typed)" if _must_type(offer) else ""
        source = f" from {display(offer.source)}" if offer.source is not None else ""
        yield f"  {'Or' if number else 'Repair'}: {offer.step.value}{source}{asked}"
        yield f"    {display(offer.why)}"
        only = ["--only", offer.step.value] if number else []
        how = look.arguments()
        if offer.typed and _must_type(offer):
            yield f"    {command(['unlock', look.root, *how, '--', offer.typed])}"
        else:
            chosen = ["--finding", one.id, *only, "--apply"]
            yield f"    {command(['repair', look.root, *how, *chosen])}"


def _must_type(offer: RepairOffer) -> bool:
    return offer.confirm is Confirm.TYPED


def _typed_what(offer: RepairOffer) -> str:
    return "ID" if offer.typed else "name"


def _files(files: Sequence[bytes]) -> Iterator[str]:
    if not files:
        return
    yield "  Files:"
    for name in files[:_FILES_SHOWN]:
        yield f"    {display(name)}"
    if len(files) > _FILES_SHOWN:
        yield f"    … and {len(files) - _FILES_SHOWN:,} more"


def _evidence(evidence: Sequence[Evidence]) -> Iterator[str]:
    if evidence:
        yield "  Why:"
    for one in evidence:
        yield f"    {_MARKS[one.says]} {display(one.detail)}"


def notes(said: Iterable[str]) -> list[str]:
    """What cannot be shown, below what can."""
    return [line for one in said for line in ("", display(one))]


def lock_evidence(one: LockReport) -> Iterator[str]:
    """All that is known of one lock, for somebody who is about to release it."""
    yield f"{display(one.subject)} ({one.kind.value}, {one.verdict.value})"
    yield f"  {display(one.explanation)}"
    yield f"  Path: {display(one.path)}"
    yield from (
        f"  {display(name)}: {display(value)}" for name, value in one.owner.items() if value
    )
    yield from _evidence(one.evidence)


def plan(made: Plan) -> Iterator[str]:
    """Each step with its size and reason."""
    if not made.steps:
        yield "There is nothing to repair."
        return
    total = size(sum(one.size for one in made.steps))
    yield f"{counted(len(made.steps), 'step', 'steps')}, {total}, for {display(made.root)}:"
    for number, one in enumerate(made.steps, 1):
        yield from _step(number, one)


def _step(number: int, one: PlanStep) -> Iterator[str]:
    asked = f" Typing needed: {display(one.wanted)}" if one.confirm is Confirm.TYPED else ""
    source = f" from {display(one.source)}" if one.source is not None else ""
    yield f"{number}. {one.step.value}: {display(one.path)} ({size(one.size)}){source}"
    yield f"   {display(one.why)}{asked}"


def outcomes(ended: Sequence[Outcome]) -> Iterator[str]:
    """One line per step, then the counts; how to undo stands with each step that was done."""
    for one in ended:
        word = output.styled(one.result.value.capitalize(), _COLOURS[one.result])
        step = one.step.value if one.step else "step"
        reason = f": {display(one.reason)}" if one.reason else ""
        yield f"{word} {step} {display(one.path)}{reason}"
        if one.undo:
            yield f"  Undo: {command(['undo', one.undo])}"
    counts = Counter(one.result for one in ended)
    words = ", ".join(f"{counts[each]} {each.value}" for each in Result if counts[each])
    yield words.capitalize() + "." if words else "There is nothing to repair."


def when(at_ns: int) -> str:
    return timestamp(at_ns) if at_ns else "unknown"
