"""The process in which parsers meet hostile input; prints what came of it, as JSON."""

from __future__ import annotations

import faulthandler
import json
import sys
import time
from dataclasses import dataclass, field

from tests.hostile.parsers_cases import NAIVE, PARSERS, Parser
from tests.hostile.parsers_mutations import Mutator

SLOW_S = 1.0
_STUCK_S = 60
_TOLD = 3
_NAIVE = 5
"""Times as many inputs: it is quick, and fails at few of them."""


@dataclass
class Counted:
    """``bad`` holds the numbers of the inputs that were neither answered nor refused, with why."""

    trials: int = 0
    answered: int = 0
    worst_s: float = 0.0
    bad_count: int = 0
    bad: list[str] = field(default_factory=list)

    def fails(self, number: int, why: str) -> None:
        self.bad_count += 1
        if len(self.bad) < _TOLD:
            self.bad.append(f"{number}: {why}")


def attempt(parser: Parser, number: int, content: bytes, counted: Counted) -> None:
    """One input.  Time is the processor's: others use this computer as well."""
    began = time.thread_time()
    try:
        parser.call(content)
        counted.answered += 1
    except parser.refusals as refusal:
        if not str(refusal):
            counted.fails(number, "refused without a word")
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        counted.fails(number, f"{type(error).__name__}: {str(error)[:100]}")
    took = time.thread_time() - began
    counted.trials += 1
    counted.worst_s = max(counted.worst_s, took)
    if took > SLOW_S:
        counted.fails(number, f"took {took:.1f} s")


def try_all(parser: Parser, trials: int, first: int) -> Counted:
    counted = Counted()
    for number, content in enumerate(parser.seeds):
        attempt(parser, -1 - number, content, counted)
    for number in range(first, first + trials - len(parser.seeds)):
        faulthandler.dump_traceback_later(_STUCK_S, exit=True)
        content = Mutator(number, parser.seeds, parser.largest).next()
        attempt(parser, number, content, counted)
    faulthandler.cancel_dump_traceback_later()
    return counted


def largest_size() -> int:
    """Bytes of memory that this process ever had.  (What getrusage says counts whoever started
    it, too.)"""
    with open("/proc/self/status", encoding="ascii") as file:
        (line,) = [line for line in file if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


def main(trials: int, first: int) -> None:
    """The naive one comes last: the memory that is told is that of the others."""
    told = {one.name: vars(try_all(one, trials, first)) for one in PARSERS}
    memory = largest_size()
    naive = vars(try_all(NAIVE, _NAIVE * trials, first))
    print(json.dumps({"parsers": told, "memory": memory, "naive": naive}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
