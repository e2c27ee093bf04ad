"""What is wrong with one stage on a disk that was mounted again after a power cut."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from tests.crash.judging import Case, State
from tests.crash.listing import World
from tests.crash.power.setting import Witness
from tests.crash.scenario import Scenario
from tests.crash.stage import Stage


@dataclass(frozen=True)
class Moment:
    """``begun``: the verb was at work when the power went; ``told``: it had reported success."""

    scenario: Scenario
    stage: Stage
    witness: Witness
    begun: bool
    told: bool


def look(moment: Moment) -> tuple[list[str], list[str]]:
    """All that is wrong, before and after ``recover``; and what there was, in words."""
    os.environ["CACHEWRIGHT_STATE_DIR"] = os.fspath(moment.stage.state)
    case = Case(moment.scenario, moment.stage, moment.witness.before, moment.witness.after)
    now = World.of(moment.stage)
    state = case.state(now)
    kinds = [f"{state}{' when told' if moment.told else ''}", *journal_kinds(moment.stage)]
    wrong = list(_before(moment, case, now))
    wrong += case.recovered()
    if moment.told and case.state(World.of(moment.stage)) is not State.NEW:
        wrong.append("taken back after success was reported")
    return wrong, kinds


def _before(moment: Moment, case: Case, now: World) -> Iterator[str]:
    state = case.state(now)
    yield from case.after_crash(now)
    if moment.told and state is not State.NEW:
        yield f"{state} after success was reported"
    if not moment.begun and state is not State.OLD:
        yield f"{state} before it began"


def journal_kinds(stage: Stage) -> list[str]:
    """In what way the journal's end and the note of its last record differ from whole ones."""
    journal, head = stage.state / "journal.jsonl", stage.state / "journal.head"
    if not journal.exists():
        return ["no journal"] if not head.exists() else ["journal lost"]
    content = journal.read_bytes()
    *lines, rest = content.split(b"\n")
    kinds = []
    if rest:
        kinds.append("end of zeros" if not rest.strip(b"\0") else "torn end")
    if b"\0" in b"".join(lines):
        kinds.append("zeros inside")
    try:
        behind = len(lines) - int(json.loads(head.read_bytes())["number"])
    except FileNotFoundError:
        kinds.append("no head")
    except ValueError:
        kinds.append("head unreadable")
    else:
        kinds += [f"head {behind} behind"] if behind else []
    return kinds
