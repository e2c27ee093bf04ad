"""Holders in plain words, for explanations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from cachewright.model import Holder
from cachewright.text import elide

_MANY: Final = 3
UNNAMED: Final = "A process that cannot be named from here"


def name_of(holder: Holder) -> str:
    """``tofu (pid 123)``; a stopped process is called so, since it keeps what it holds."""
    program = holder.command.partition(" ")[0] if holder.command[:1] != "[" else holder.command
    name = elide(os.path.basename(program) or program or "a program", 40)
    stopped = ", stopped" if holder.state == "stopped" else ""
    return f"{name} (pid {holder.pid}{stopped})"


def names_of(holders: Sequence[Holder]) -> str:
    """All of them in one phrase, the first few by name."""
    named = [name_of(holder) for holder in holders[:_MANY]]
    if len(holders) > _MANY:
        named.append(f"{len(holders) - _MANY} more")
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def of_deleted_words(holders: Sequence[Holder]) -> str:
    """Who still has a file open that lay here and was deleted; empty for nobody."""
    if not holders:
        return ""
    has = "has" if len(holders) == 1 else "have"
    return f"{names_of(holders)} still {has} a deleted file of that name open."
