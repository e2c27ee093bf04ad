"""An exception nobody expected: one sentence for the person, the traceback in a log."""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime

from cachewright.repair.journal import state_directory
from cachewright.text import display


def record(error: BaseException) -> str:
    """Append the traceback to ``errors.log`` (readable by its owner only); returns the sentence
    that tells of it."""
    what = display(f"{type(error).__name__}: {error}")
    try:
        log = _append(error)
    except OSError as refused:
        where = f"Its log could not be written ({refused.strerror})."
    else:
        where = f"The details are in {display(log)}."
    return f"Something unexpected went wrong ({what}). This is a bug in Cachewright. {where}"


def _append(error: BaseException) -> bytes:
    directory = state_directory()
    os.makedirs(directory, mode=0o700, exist_ok=True)
    log = os.path.join(directory, b"errors.log")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(log, flags, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(f"{datetime.now(tz=UTC).isoformat(timespec='seconds')}\n")
        stream.writelines(traceback.format_exception(error))
        stream.write("\n")
    return log
