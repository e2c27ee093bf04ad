"""Repairs beside names that a program would touch instead, had it taken the name through text."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.counts import Row
from tests.hostile.names_cases import DECOYS, HOSTILE, NAMES
from tests.hostile.names_judging import Counts, paths
from tests.hostile.names_terminal import command, fast
from tests.hostile.names_window import Eyes, opened
from tests.hostile.names_world import World, listed

from cachewright_gui.store import Recent

_GOOD: Final = b"good"
PAIRS: Final[Mapping[str, tuple[bytes, tuple[bytes, ...]]]] = {
    "not UTF-8": (HOSTILE, tuple(DECOYS.values())),
    "precomposed": (NAMES["precomposed"], (NAMES["composed"], b"egal")),
    "composed": (NAMES["composed"], (NAMES["precomposed"], b"egal")),
    "blanks around": (NAMES["blanks around"], (b"around", b"around  ", b"  around")),
    "line break at the end": (NAMES["line break at the end"], (b"end", b"end\\n")),
    "options": (b"-rf", (b"rf", b"./rf".replace(b"/", b""))),
    "C1 CSI as a byte": (b"\x9b2Jraw", ("\x9b2Jraw".encode(), b"2Jraw")),
    "escaped twice": (b"n\\xff", (b"n\xff", b"n\\\\xff")),
}
"""Names to be repaired, each with its decoys."""

Seen = dict[bytes, tuple[object, ...]]


_FEW: Final = ("not UTF-8", "precomposed")


def run(world: World, *, quick: bool) -> list[Row]:
    chosen = {what: PAIRS[what] for what in (_FEW if quick else PAIRS)}
    lines = Counts("decoys beside what the command line repaired")
    panes = Counts("decoys beside what the window repaired")
    for number, (what, pair) in enumerate(chosen.items()):
        _by_command(_Place(world, b"%d" % number, *pair), what, lines)
    in_window = dict(list(chosen.items())[:1]) if quick else chosen
    with opened(Path(os.fsdecode(world.at(b"decoys")))) as eyes:
        for number, (what, pair) in enumerate(in_window.items()):
            _by_window(_Place(world, b"w%d" % number, *pair), what, panes, eyes)
    return [lines.row(len(chosen)), panes.row(len(in_window))]


class _Place:
    """A folder in which one file is corrupt and its decoys, all listed, are sound; or none is
    listed, and it stands alone among them."""

    def __init__(self, world: World, folder: bytes, name: bytes, decoys: tuple[bytes, ...]) -> None:
        self.root = world.at(b"decoys", folder)
        self.mirror = world.at(b"decoys", folder + b"-mirror")
        self.name, self.decoys = name, decoys
        for place in (self.root, self.mirror):
            os.makedirs(place)
        for one in (name, *decoys):
            self._put(self.root, one, _GOOD if one in decoys else b"BAD!")
        self._put(self.mirror, name, _GOOD)
        self._put(self.root, b"SHA256SUMS", b"".join(listed(n, _GOOD) for n in (name, *decoys)))
        self.before = self.seen()

    @property
    def target(self) -> bytes:
        return os.path.join(self.root, self.name)

    @staticmethod
    def _put(folder: bytes, name: bytes, content: bytes) -> None:
        Path(os.fsdecode(os.path.join(folder, name))).write_bytes(content)

    def seen(self) -> Seen:
        """The decoys as they are."""
        found: Seen = {}
        for name in self.decoys:
            path = os.path.join(self.root, name)
            one = os.lstat(path)
            content = Path(os.fsdecode(path)).read_bytes()
            found[name] = (one.st_ino, one.st_mtime_ns, one.st_ctime_ns, one.st_nlink, content)
        return found

    def told(self) -> str:
        """The name by which ``check`` tells of the target: of two that look alike, one is told
        with a number."""
        entries = json.loads(command("check", self.root, "--json", *fast()).out)["entries"]
        return next(str(one["name"]) for one in entries if self.target in paths([one]))

    def judge(self, counts: Counts, what: str, *, holds: bytes | None) -> None:
        """The decoys are untouched, nothing else came, and the target holds this."""
        place = Path(os.fsdecode(self.target))
        now = place.read_bytes() if os.path.lexists(self.target) else None
        known = {*self.decoys, self.name, b"SHA256SUMS"}
        wrong = ["a decoy was touched"] if self.seen() != self.before else []
        wrong += ["not done"] if now != holds else []
        wrong += ["something came"] if set(os.listdir(self.root)) - known else []
        counts.add(what, wrong, len(self.decoys))


def _by_command(place: _Place, what: str, counts: Counts) -> None:
    options = ["--source", place.mirror]
    command("repair", place.root, "--apply", *fast(options))
    place.judge(counts, f"{what}, republished", holds=_GOOD)
    command("undo")
    place.judge(counts, f"{what}, undone", holds=b"BAD!")
    source = os.path.join(place.mirror, place.name)
    command("publish", "--from", source, "--", place.root, place.told())
    place.judge(counts, f"{what}, published", holds=_GOOD)


def _by_window(place: _Place, what: str, counts: Counts, eyes: Eyes) -> None:
    eyes.open(Recent(place.root, "", "checksums", sources=(place.mirror,)))
    window = eyes.window
    session = window.session
    assert session is not None
    model = window.cache.problems.model
    rows = [row for row in range(model.rowCount()) if model.item(row).finding.path == place.target]
    counts.add(what, [] if len(rows) == model.rowCount() == 1 else ["not the one problem"])
    window.cache.go_to(0)
    window.cache.problems.view.setCurrentIndex(model.index(rows[0], 0))
    story = window.cache.evidence.story
    assert story is not None
    offers = [one for part in story.sections for one in part.items if hasattr(one, "findings")]
    window.cache.evidence.wanted.emit(offers[0])
    _apply(eyes)
    place.judge(counts, f"{what}, republished", holds=_GOOD)
    eyes.until(lambda: _can_undo(eyes, place.target))
    window.commands.undo_last()
    eyes.until(eyes.rests)
    place.judge(counts, f"{what}, undone", holds=b"BAD!")


def _can_undo(eyes: Eyes, path: bytes) -> bool:
    last = eyes.window.undoable()
    return last is not None and last.path == path and eyes.rests()


def _apply(eyes: Eyes) -> None:
    flow = eyes.window.repairs
    done: Callable[[], object] = lambda: flow.dialog is None and eyes.rests()  # noqa: E731
    eyes.until(lambda: flow.dialog)
    assert flow.dialog is not None
    flow.dialog.apply.click()
    eyes.until(done)
