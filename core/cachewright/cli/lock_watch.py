"""``locks --watch``: a screen that is drawn anew, blocks of text, or lines of JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import humanize

from cachewright.cli import lock_words, output, wording
from cachewright.cli.exit_code import kind_of
from cachewright.cli.interrupt import cancellable
from cachewright.cli.lock_changes import Changes
from cachewright.cli.lock_view import LockView, clock
from cachewright.cli.screen import Screen, usable
from cachewright.errors import CachewrightError, Cancelled, RootVanished
from cachewright.report import document

if TYPE_CHECKING:
    from cachewright.model import CancelToken, LockReport
    from cachewright.workbench import Bench

_TICK_S: Final = 0.2
"""How soon a terminal of another size is drawn on."""
_REDRAW_S: Final = 1.0
"""How often the ages on a screen go on."""


def watch(bench: Bench, root: bytes, *, every_s: float, as_json: bool) -> None:
    """Look every so many seconds until asked to stop; ``root`` is what the person called it.

    Raises what the first look raises, and ``RootVanished``.  What else makes a later look fail
    is told, and the next one is tried: an endpoint may come back.
    """
    if as_json:
        _tell(bench, _JsonLines(root), every_s)
    elif usable():
        _draw(bench, every_s)
    else:
        _tell(bench, _Blocks(), every_s)


class _Told(Protocol):
    def note(self, found: Sequence[LockReport], notes: Sequence[str]) -> object:
        """A look was made."""

    def fail(self, error: CachewrightError) -> None:
        """A look could not be made."""


def _look_again(bench: Bench, told: _Told) -> None:
    try:
        found, notes = bench.locks(), bench.notes()
    except (Cancelled, RootVanished):
        raise
    except CachewrightError as error:
        told.fail(error)
    else:
        told.note(found, notes)


def _tell(bench: Bench, told: _Told, every_s: float) -> None:
    with cancellable() as token, suppress(Cancelled):
        told.note(bench.locks(), bench.notes())
        while True:
            token.wait(every_s)
            _look_again(bench, told)


class _Blocks:
    """For a file or another program: all of it, whenever something changed."""

    def __init__(self) -> None:
        self._changes = Changes(time.monotonic())
        self._told_any = False
        self._failure = ""

    def note(self, found: Sequence[LockReport], notes: Sequence[str]) -> None:
        changed = self._changes.note(found, time.monotonic()) or bool(self._failure)
        if self._told_any and not changed:
            return
        again = ["", clock()] if self._told_any else []
        output.say([*again, *lock_words.locks(found), *wording.notes(notes)])
        self._told_any, self._failure = True, ""

    def fail(self, error: CachewrightError) -> None:
        if str(error) != self._failure:
            self._failure = str(error)
            output.tell(f"{clock()} {error}")


class _JsonLines:
    """For programs: a whole document on a line, first and after each change."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._changes = Changes(time.monotonic())
        self._notes: Sequence[str] | None = None
        self._failure = ""

    def note(self, found: Sequence[LockReport], notes: Sequence[str]) -> None:
        changed = self._changes.note(found, time.monotonic()) or bool(self._failure)
        if changed or notes != self._notes:
            self._notes, self._failure = notes, ""
            output.emit_line(document.locks(self._root, found, notes))

    def fail(self, error: CachewrightError) -> None:
        if str(error) != self._failure:
            self._failure = str(error)
            output.emit_line(document.error(kind_of(error), self._failure, error.exit_code))


def _draw(bench: Bench, every_s: float) -> None:
    """The last look stays on the terminal when the screen is given back."""
    view = LockView(bench.root, bench.title, f"every {humanize.precisedelta(every_s)}")
    screen = Screen()
    with cancellable(screen.leave) as token:
        view.note(bench.locks(), bench.notes())
        with screen, suppress(Cancelled):
            while True:
                _show(screen, view, token, every_s)
                _look_again(bench, view)
    output.say(text for text, _bold in view.lines(final=True))


def _show(screen: Screen, view: LockView, token: CancelToken, seconds: float) -> None:
    """Keep the screen as it should be for so long."""
    until, drawn = time.monotonic() + seconds, 0.0
    while (left := until - (now := time.monotonic())) > 0:
        if screen.outdated or now - drawn >= _REDRAW_S:
            screen.draw(list(view.lines()))
            drawn = now
        token.wait(min(_TICK_S, left))
