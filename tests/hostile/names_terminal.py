"""The command line with a terminal of our own to write to, and what must not arrive there."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from cachewright.cli.main import run

_OURS: Final = re.compile(rb"\x1b\[(?:0|1|3[0-7])m")
"""What ``click.style`` writes around a word."""
_DRAWN: Final = re.compile(rb"\x1b\[(?:\?25[lh]|2K|1A|[0-9;]*m)|\r")
"""What the moving line of progress writes besides; hiding is not among what any name may do."""
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_LEADING: Final = re.compile(
    "[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Characters that turn text round, end lines, or cannot be seen."""


class _Screen(io.BytesIO):
    """What a terminal was told; it has no descriptor, and says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Answer:
    """What a command wrote, and what it ended with."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "surrogateescape")


def _stream(screen: io.BytesIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(screen, "utf-8", "backslashreplace", write_through=True)


def command(*arguments: str | bytes, progress: bool = False) -> Answer:
    """Run a verb with stdout as a terminal, and stderr too if progress is to be drawn."""
    out, err = _Screen(), _Screen() if progress else io.BytesIO()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _stream(out), _stream(err)
    try:
        code = run([os.fsdecode(one) for one in arguments])
        return Answer(code, out.getvalue(), err.getvalue())
    finally:
        mine = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = before
        for stream in mine:
            cast("io.TextIOWrapper", stream).detach()


def escapes(output: bytes, *, drawn: bool = False) -> list[str]:
    """Whatever a terminal would act upon, or a reader not see, that is not our own."""
    text = (_DRAWN if drawn else _OURS).sub(b"", output).decode("utf-8", "backslashreplace")
    return [*_CONTROL.findall(text), *_LEADING.findall(text)]


@contextlib.contextmanager
def state(folder: Path) -> Iterator[None]:
    """A home and a state directory of their own, and no settings of whoever runs this."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    kept = dict(os.environ)
    gone = {name for name in kept if name.startswith(("TF_", "UV_", "XDG_", "AWS_", "NO_COLOR"))}
    new = {"HOME": str(home), "CACHEWRIGHT_STATE_DIR": str(folder / "state")}
    os.environ.update(new)
    for name in gone:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def fast(arguments: Sequence[str | bytes] = ()) -> list[str | bytes]:
    """Options by which an answer comes soon."""
    return ["--floor", "0", "--observe", "0.01", "--settle", "0", *arguments]
