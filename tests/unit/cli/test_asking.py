from __future__ import annotations

import os
import pty
import sys
from collections.abc import Callable, Iterator

import click
import pytest

from cachewright.cli import asking, quarantine
from cachewright.model import Confirm, Identity, PlanStep, StepKind
from cachewright.repair.keeping import GRACE_S

Answer = Callable[[str], None]


def step(name: str, confirm: Confirm) -> PlanStep:
    place = Identity(1, 2, 3, 4, 5, 6)
    kind = StepKind.QUARANTINE_STAGING
    return PlanStep(name, kind, f"subject {name}", b"/c/x", place, confirm, "Because.")


CLICK = step("click", Confirm.CLICK)
TYPED = step("typed", Confirm.TYPED)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    """Somebody at a real terminal: sits down and types, ready to be read."""
    master, slave = pty.openpty()
    with os.fdopen(os.dup(slave)) as reading, os.fdopen(slave, "w") as writing:

        def answer(text: str) -> None:
            monkeypatch.setattr(sys, "stdin", reading)
            monkeypatch.setattr(sys, "stderr", writing)
            os.write(master, text.encode())

        yield answer
        monkeypatch.undo()
    os.close(master)


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_no_is_the_default_answer(person: Answer, answer: str, agreed: bool) -> None:
    person(answer)
    assert asking.agrees("Do it?", yes=False) is agreed


def test_yes_answers_a_click(person: Answer) -> None:
    person("n\n")
    assert asking.agrees("Do it?", yes=True)


def test_a_script_is_not_asked() -> None:
    assert asking.agrees("Do it?", yes=False)
    agreed = asking.consent([CLICK, TYPED], yes=False)
    assert agreed == asking.Consent((CLICK, TYPED), {}, ())


def test_clicks_are_asked_once_and_names_one_by_one(person: Answer) -> None:
    person("y\nsubject typed\n")
    agreed = asking.consent([CLICK, TYPED], yes=False)
    assert agreed == asking.Consent((CLICK, TYPED), {"typed": "subject typed"}, ())


def test_what_is_not_agreed_is_left_out(person: Answer) -> None:
    person("n\n\n")
    agreed = asking.consent([CLICK, TYPED], yes=False)
    assert agreed == asking.Consent((), {}, (CLICK, TYPED))


def test_yes_never_answers_what_must_be_typed(person: Answer) -> None:
    person("\n")
    agreed = asking.consent([CLICK, TYPED], yes=True)
    assert agreed == asking.Consent((CLICK,), {}, (TYPED,))


def test_a_terminal_that_is_closed_is_no_consent(person: Answer) -> None:
    person("\x04")
    with pytest.raises(click.Abort):
        asking.agrees("Do it?", yes=False)


@pytest.mark.parametrize(("answer", "agreed"), [("purge\n", True), ("y\n", False), ("\n", False)])
def test_deleting_before_the_grace_is_over_must_be_typed(
    person: Answer, answer: str, agreed: bool
) -> None:
    person(answer)
    assert quarantine.agreed(GRACE_S - 1, yes=True) is agreed


def test_deleting_after_the_grace_takes_a_click(person: Answer) -> None:
    person("n\n")
    assert quarantine.agreed(GRACE_S, yes=True)
    assert not quarantine.agreed(GRACE_S, yes=False)


def test_a_script_that_names_a_shorter_time_means_it() -> None:
    assert quarantine.agreed(0, yes=False)
