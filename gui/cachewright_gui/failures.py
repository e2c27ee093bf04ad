"""How a failure is told to a person: one plain sentence, and the details for a report."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from cachewright.errors import CachewrightError
from cachewright.text import display


@dataclass(frozen=True, slots=True)
class Failure:
    """``detail`` is a traceback where the program itself is at fault, else empty."""

    text: str
    detail: str = ""


def failure(error: BaseException) -> Failure:
    if isinstance(error, CachewrightError):
        return Failure(display(str(error)))
    if isinstance(error, OSError) and error.strerror:
        place = error.filename
        where = f"{display(place)}: " if isinstance(place, bytes | str) else ""
        return Failure(f"{where}{error.strerror}.", _trace(error))
    what = display(str(error)) or "no message"
    return Failure(
        f"Something went wrong in the program itself ({type(error).__name__}: {what}).",
        _trace(error),
    )


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
