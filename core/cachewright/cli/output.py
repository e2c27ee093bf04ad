"""What goes to stdout and stderr: sentences for people, one JSON object for programs.

A reader that goes away (``cachewright check ROOT | head``) ends the output quietly; the verb
still ends with its own exit code.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import IO, Any

import click

from cachewright.errors import CachewrightError
from cachewright.text import display


class OutputLost(CachewrightError):
    """The answer could not be written: {reason}."""


def prepare_streams() -> None:
    """Make 0, 1 and 2 safe to write to: a closed one would be reused by the next file opened,
    and a terminal that knows no UTF-8 would end the program at the first foreign name."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _colour() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None


def _write(text: str, stream: IO[str] | None) -> None:
    if stream is None:
        return
    try:
        click.echo(text, file=stream, nl=False, color=_colour())
        stream.flush()
    except BrokenPipeError:
        return  # nobody reads any more; ``finish`` lets go of what is left
    except OSError as error:
        raise OutputLost(reason=error.strerror) from error


def _silence(stream: IO[str]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def finish() -> None:
    """Let nothing be left to the interpreter's own flush, which would tell of a stream that
    was lost already."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            _silence(stream)


def say(lines: Iterable[str]) -> None:
    """Lines for a person on stdout."""
    _write("".join(f"{line}\n" for line in lines), sys.stdout)


def tell(sentence: str) -> None:
    """One line on stderr."""
    _write(f"{sentence}\n", sys.stderr)


def emit(document: dict[str, Any]) -> None:
    """The one JSON object on stdout: ASCII only, so that no terminal or locale can harm it."""
    _write(json.dumps(document, indent=2, ensure_ascii=True) + "\n", sys.stdout)


def emit_line(document: dict[str, Any]) -> None:
    """One of several JSON objects, on a line of its own."""
    _write(json.dumps(document, ensure_ascii=True) + "\n", sys.stdout)


def styled(word: str, colour: str) -> str:
    """A word in colour; never the colour alone."""
    return click.style(word, fg=colour, bold=True)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Left-aligned columns two blanks apart; cells are made safe to show."""
    cells = [header, *(tuple(map(display, row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        # What stands last may be a name that ends with blanks.
        lines.append("  ".join([*padded, row[-1]]) if row[-1] else "  ".join(padded).rstrip())
    return lines


def asks() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
