"""The last nets: whatever nobody caught reaches the person, and the error output."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

_SERIOUS = frozenset({QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg})


def install(tell: Callable[[BaseException], None]) -> None:
    """``tell`` is called, on any thread, with what escaped from a slot or a thread."""

    def from_main(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        traceback.print_exception(kind, error, trace)
        tell(error)

    def from_thread(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value
        if error is not None and not isinstance(error, SystemExit):
            traceback.print_exception(error)
            tell(error)

    def from_qt(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
        sys.stderr.write(f"{message}\n")
        if kind in _SERIOUS:
            tell(RuntimeError(message))

    sys.excepthook = from_main
    threading.excepthook = from_thread
    qInstallMessageHandler(from_qt)
