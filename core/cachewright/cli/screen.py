"""A whole screen that is drawn again and again, on a terminal that is given back as it was."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Final, Self

from cachewright.cli.output import OutputLost

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""The other screen buffer, and no cursor."""
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_LEAST: Final = 2
"""Columns and rows below which nothing can be shown."""


def usable() -> bool:
    """Whether stdout is a terminal that can be drawn on."""
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and os.environ.get("TERM", "dumb") not in {"", "dumb"}
    )


class Screen:
    """Use as a context manager.  Ctrl-Z gives the terminal back until the program goes on."""

    def __init__(self) -> None:
        self._fd = sys.stdout.fileno()
        self._encoding = sys.stdout.encoding or "ascii"
        self._drawn_for: os.terminal_size | None = None

    def __enter__(self) -> Self:
        self._write(_ENTER)
        self._former = signal.signal(signal.SIGTSTP, self._pause)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGTSTP, self._former)
        self.leave()

    def leave(self) -> None:
        """Give the terminal back; for an end in a hurry too."""
        with suppress(OSError):  # it went away: there is nothing to give back
            self._write(_LEAVE)

    def _pause(self, _number: int, _frame: FrameType | None) -> None:
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)  # stops here, until it is told to go on
        self._write(_ENTER)
        self._drawn_for = None

    @property
    def outdated(self) -> bool:
        """Whether what was drawn no longer fits: the terminal has another size, or was cleared."""
        return self._drawn_for != self._size()

    def draw(self, lines: Sequence[tuple[str, bool]]) -> None:
        """Lines of text that is safe to show, each with whether it stands out.

        What does not fit is cut off, at a whole character, and the last row says how much is
        missing.
        """
        size = self._size()
        rows, columns = max(size.lines, _LEAST), max(size.columns, _LEAST)
        shown = list(lines[:rows])
        if len(lines) > rows:
            missing = len(lines) - rows + 1
            shown[-1] = (f"… {missing} more lines: the window is too small for them.", False)
        drawn = (
            f"{_BOLD if bold else ''}{self._cut(text, columns - 1)}{_PLAIN if bold else ''}"
            for text, bold in shown
        )
        body = f"{_REST_OF_LINE}\r\n".join(drawn)
        try:
            self._write(f"{_HOME}{body}{_REST_OF_LINE}{_REST_OF_SCREEN}")
        except OSError as error:
            raise OutputLost(reason=error.strerror) from error
        self._drawn_for = size

    def _cut(self, text: str, cells: int) -> str:
        """At most so many cells of the terminal, of which some characters take two."""
        from rich.cells import cell_len, set_cell_size

        text, more = self._spelled(text), self._spelled("…")
        if cell_len(text) <= cells:
            return text
        if cells <= len(more):
            return set_cell_size(text, cells)
        return set_cell_size(text, cells - len(more)).rstrip() + more

    def _spelled(self, text: str) -> str:
        """As a terminal gets it that knows fewer characters."""
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _size(self) -> os.terminal_size:
        try:
            return os.get_terminal_size(self._fd)
        except OSError:  # it went away; the next write says so
            return os.terminal_size((80, 24))

    def _write(self, text: str) -> None:
        left = text.encode(self._encoding)
        while left:
            left = left[os.write(self._fd, left) :]
