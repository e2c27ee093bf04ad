"""Ctrl-C: the first asks the running stage to stop at a safe point, the second ends at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cachewright.cli import output
from cachewright.cli.exit_code import ExitCode
from cachewright.model import CancelToken

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def cancellable() -> Iterator[CancelToken]:
    """A token that Ctrl-C, a hang-up or a plain kill cancels while the block runs.

    Every repair step is journaled and done by rename, so even the second, hard end leaves
    nothing half done.
    """
    token = CancelToken()

    def asked(_number: int, _frame: FrameType | None) -> None:
        if token.cancelled:
            if sys.stderr.isatty():
                output.tell(_SHOW_CURSOR)
            os._exit(ExitCode.INTERRUPTED)
        token.cancel()

    former = {number: signal.signal(number, asked) for number in _SIGNALS}
    try:
        yield token
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
