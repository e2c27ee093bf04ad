"""Ctrl-C: the first asks the running stage to stop at a safe point, the second ends at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from cachewright.cli import output
from cachewright.cli.exit_code import ExitCode
from cachewright.model import CancelToken

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_SHOW_CURSOR: Final = "\x1b[?25h"


def _show_cursor() -> None:
    if sys.stderr.isatty():
        output.tell(_SHOW_CURSOR)


@contextmanager
def cancellable(tidy: Callable[[], None] = _show_cursor) -> Iterator[CancelToken]:
    """A token that Ctrl-C, a hang-up or a plain kill cancels while the block runs.

    Every repair step is journaled and done by rename, so even the second, hard end, before
    which ``tidy`` is called, leaves nothing half done.
    """
    token = CancelToken()

    def asked(_number: int, _frame: FrameType | None) -> None:
        if token.cancelled:
            try:
                tidy()
            finally:
                os._exit(ExitCode.INTERRUPTED)
        token.cancel()

    with _handling(asked):
        yield token


@contextmanager
def unwinding() -> Iterator[None]:
    """Let a hang-up or a plain kill unwind the block as Ctrl-C does, so that it tidies up."""

    def asked(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handling(asked):
        yield


@contextmanager
def ending_at_once(tidy: Callable[[], None]) -> Iterator[None]:
    """End the process at the first signal, after ``tidy``.

    For a block that runs somebody else's event loop: what is raised in there may be printed and
    forgotten.  A loop that knows a gentler way may set handlers of its own meanwhile.
    """

    def asked(_number: int, _frame: FrameType | None) -> None:
        try:
            tidy()
        finally:
            os._exit(ExitCode.INTERRUPTED)

    with _handling(asked):
        yield


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    former = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)
