"""Mount what each power cut may leave of one disk, look at it, recover, and look again.

Run as ``python -m tests.crash.power.replay PLACE CAPTURE``, enclosed; prints rows.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.counts import Row
from tests.crash.enclosure import say
from tests.crash.power.capturing import log_of, witnesses_of
from tests.crash.power.cuts import Cut, Disk, dropped, ordered
from tests.crash.power.logwrites import Log
from tests.crash.power.looking import Moment, look
from tests.crash.power.setting import CAPTURES, Capture, begin, read_witnesses, rest, told

AIM: Final = 200
_SEEDS: Final = 240
_LONGEST_S: Final = 60
_SHOWN: Final = 3


@dataclass
class Tally:
    """What became of the states of one disk under one model."""

    states: int = 0
    bad: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, cut: Cut, wrong: Sequence[str], kinds: Iterable[str]) -> None:
        self.states += 1
        self.kinds.update(kinds)
        if wrong:
            self.bad += 1
            if len(self.examples) < _SHOWN:
                self.examples.append(f"{cut}: {'; '.join(wrong)}")

    def note(self) -> str:
        return ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))


class Replay:
    """All states of one capture, whose files lie in ``place``."""

    def __init__(self, place: Path, capture: Capture, log: Log) -> None:
        self._place = place
        self._capture = capture
        self._log = log
        self._witnesses = read_witnesses(witnesses_of(capture, place))
        marks = log.marks
        count = range(len(capture.scenarios))
        self.spans = [(marks[begin(n)], marks[rest(n)]) for n in count]
        self._begins = [first for first, _ in self.spans]
        self._told = [marks[told(n)] for n in count]

    def rows(self) -> Iterator[Row]:
        for model, cuts in (
            ("ordered", list(ordered(self._log, self.spans))),
            ("dropped", dropped(self.spans, _SEEDS)),
        ):
            tally = self._states(cuts)
            for example in tally.examples if self._capture.durable else ():
                sys.stderr.write(f"{self._capture.name} {model} {example}\n")
            part = f"power cut, {model}{'' if self._capture.durable else ', no fsync'}"
            yield Row(
                part,
                self._capture.kind.name,
                tally.states,
                tally.bad,
                aim=AIM if self._capture.durable else 0,
                note=tally.note(),
                expects_bad=not self._capture.durable,
            )

    def _states(self, cuts: Sequence[Cut]) -> Tally:
        tally = Tally()
        image = self._place / f"{self._capture.name}.cut"
        disk = Disk(self._log, self._place / f"{self._capture.name}.whole", self._capture.kind.size)
        try:
            for cut in cuts:
                disk.write_state(cut, image)
                tally.add(cut, *self._looked_at(cut, image))
        finally:
            disk.close()
            image.unlink(missing_ok=True)
        return tally

    def _looked_at(self, cut: Cut, image: Path) -> tuple[Sequence[str], Sequence[str]]:
        number = bisect_right(self._begins, cut.number) - 1
        moment = Moment(
            scenario=self._capture.scenarios[number],
            stage=self._capture.stage(self._place, number),
            witness=self._witnesses[number],
            begun=cut.number > self._begins[number],
            told=cut.number >= self._told[number],
        )
        try:
            with _mounted(self._capture, image, self._capture.top(self._place)):
                return _apart(moment)
        except subprocess.CalledProcessError as error:
            return ([f"not mounted: {error.stderr}"], ["not mounted"])


@contextmanager
def _mounted(capture: Capture, image: Path, top: Path) -> Iterator[None]:
    # The kernel plays the file system's own journal back; xfs has seen this disk's name before.
    options = "loop,nouuid" if capture.kind.name == "xfs" else "loop"
    _run("mount", "-t", capture.kind.name, "-o", options, os.fspath(image), os.fspath(top))
    try:
        yield
    finally:
        _run("umount", os.fspath(top))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _apart(moment: Moment) -> tuple[Sequence[str], Sequence[str]]:
    """Look in a process of its own, as the next start after a power cut is."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        signal.alarm(_LONGEST_S)
        _tell(writing, moment)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    if not said:
        return (["it did not end in time"], [])
    wrong, kinds = json.loads(said)
    return (wrong, kinds)


def _tell(writing: int, moment: Moment) -> None:
    """Never returns: nothing of the parent's may be closed or ended twice."""
    try:
        told = look(moment)
    except BaseException:  # noqa: BLE001 - told to the parent
        told = ([traceback.format_exc()], ["error"])
    with open(writing, "wb") as pipe:
        pipe.write(json.dumps(told).encode())
    os._exit(0)


def main(place: Path, name: str) -> None:
    (capture,) = (one for one in CAPTURES if one.name == name)
    with Log(log_of(capture, place)) as log:
        say(list(Replay(place, capture, log).rows()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
