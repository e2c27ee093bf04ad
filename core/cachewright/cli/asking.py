"""Asking a person on a terminal; scripts are never asked and never hang.

What a click may answer, ``--yes`` answers too.  What must be typed is only ever typed: an entry's
name or a lock's ID, exactly as shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import click

from cachewright.cli import output
from cachewright.model import Confirm, PlanStep
from cachewright.text import display


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to: ``typed`` is what was typed for a step, by its ID."""

    steps: tuple[PlanStep, ...]
    typed: dict[str, str]
    left_out: tuple[PlanStep, ...]


def agrees(question: str, *, yes: bool) -> bool:
    """A click's worth of consent; no is the default.  Where there is nobody to ask, the command
    line itself was the consent."""
    if yes or not output.asks():
        return True
    return click.confirm(question, default=False, err=True)


def typed(wanted: str, why: str) -> str:
    """What the person types; empty where they would rather not."""
    output.tell(f"{display(why)}\nType {display(wanted)} to confirm, or press Enter to leave it.")
    answer: str = click.prompt("", default="", show_default=False, prompt_suffix="> ", err=True)
    return answer


def consent(steps: Iterable[PlanStep], *, yes: bool) -> Consent:
    """Ask for the clicks at once and for each typed step by itself.

    Without a terminal nothing is asked: typed steps stay in, unconfirmed, so that they are
    refused with the reason.
    """
    steps = tuple(steps)
    if not output.asks():
        return Consent(steps, {}, ())
    clicks = [one for one in steps if one.confirm is Confirm.CLICK]
    plural = "step" if len(clicks) == 1 else "steps"
    agreed = not clicks or agrees(f"Apply {len(clicks)} {plural}?", yes=yes)
    kept: list[PlanStep] = []
    out: list[PlanStep] = []
    answers: dict[str, str] = {}
    for one in steps:
        if one.confirm is Confirm.CLICK:
            (kept if agreed else out).append(one)
        elif answer := typed(one.wanted, f"{one.step.value} {display(one.path)}: {one.why}"):
            answers[one.id] = answer
            kept.append(one)
        else:
            out.append(one)
    return Consent(tuple(kept), answers, tuple(out))
