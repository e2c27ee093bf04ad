"""A call that somebody else's code answers, with an end to the waiting.

Libraries bound single reads of a socket, not name look-ups, helpers that fetch credentials, or a
server that sends a byte now and then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Late(Exception):
    """The call did not end in time.  It may go on, and end, unheard."""


class _Call(Generic[T]):
    """What became of the call; written by its thread before that ends."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._answers: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._answers.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error

    def answer(self) -> T:
        if self._error is not None:
            raise self._error
        return self._answers[0]


def within(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` returns or raises, or ``Late`` after that many seconds.

    It runs on a thread of its own, which does not keep the program from ending.
    """
    made = _Call(call)
    thread = threading.Thread(target=made.run, name="asking a store", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise Late
    return made.answer()
