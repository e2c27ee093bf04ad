"""Verbs as one would write them at first: the harness has to find what is wrong with each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.crash import caches
from tests.crash.scenario import Act, Scenario

from cachewright.model import Outcome, Result, StepKind

if TYPE_CHECKING:
    from tests.crash.stage import Stage


def _done(path: str) -> tuple[Outcome, ...]:
    return (Outcome(StepKind.REPUBLISH_ENTRY, os.fsencode(path), Result.DONE, "", None, ""),)


@contextmanager
def _file_by_file(stage: Stage) -> Iterator[Act]:
    """Each file is replaced at once, the entry is not."""

    def act() -> tuple[Outcome, ...]:
        entry = os.fspath(stage.cache / "entry")
        for number in range(8):
            name = os.path.join(entry, f"file-{number}")
            with open(name + "~", "wb") as file:
                file.write(b"new")
            os.rename(name + "~", name)
        return _done(entry)

    yield act


@contextmanager
def _gone_for_a_moment(stage: Stage) -> Iterator[Act]:
    """The old entry is deleted before the new one has its place."""

    def act() -> tuple[Outcome, ...]:
        entry = os.fspath(stage.cache / "entry")
        shutil.rmtree(entry)
        os.rename(stage.mirror, entry)
        return _done(entry)

    yield act


NAIVE: Final = tuple(
    Scenario(name, "cache/entry", caches.folder_to_replace, ready, journals=False)
    for name, ready in (
        ("file by file", _file_by_file),
        ("gone for a moment", _gone_for_a_moment),
    )
)
