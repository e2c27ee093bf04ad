"""JSON documents of what was done and what is kept: the journal and the quarantine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from cachewright.model import StepKind
from cachewright.report.values import Document, path_fields, text
from cachewright.text import timestamp


class Done(Protocol):
    """One repair as the workbench's history tells it."""

    @property
    def id(self) -> str: ...
    @property
    def at_ns(self) -> int: ...
    @property
    def step(self) -> StepKind: ...
    @property
    def subject(self) -> str: ...
    @property
    def path(self) -> bytes: ...
    @property
    def result(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def undone(self) -> bool: ...
    @property
    def can_undo(self) -> bool: ...
    @property
    def action(self) -> str: ...


class Kept(Protocol):
    """One thing in quarantine."""

    @property
    def id(self) -> str: ...
    @property
    def at_ns(self) -> int: ...
    @property
    def original(self) -> bytes: ...
    @property
    def kept(self) -> bytes: ...
    @property
    def size(self) -> int: ...
    @property
    def step(self) -> StepKind: ...


def journal(items: Iterable[Done], verified: int | None = None) -> Document:
    """``cachewright.journal/1``, the newest first; ``verified`` is the number of records whose
    hashes were checked, or null where nobody asked."""
    return {
        "schema": "cachewright.journal/1",
        "verified_records": verified,
        "operations": [
            {
                "id": one.id,
                "at": timestamp(one.at_ns),
                "action": one.action,
                "step": one.step.value,
                "subject": text(one.subject),
                **path_fields("path", one.path),
                "result": str(one.result),
                "reason": text(one.reason),
                "undone": one.undone,
                "can_undo": one.can_undo,
            }
            for one in items
        ],
    }


def quarantine(items: Iterable[Kept]) -> Document:
    """``cachewright.quarantine/1``: ``original`` is where it was, ``kept`` where it lies."""
    return {
        "schema": "cachewright.quarantine/1",
        "items": [
            {
                "id": one.id,
                "at": timestamp(one.at_ns),
                "step": one.step.value,
                **path_fields("original", one.original),
                **path_fields("kept", one.kept),
                "bytes": one.size,
            }
            for one in items
        ],
    }
