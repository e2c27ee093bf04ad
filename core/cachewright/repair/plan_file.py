"""A plan as a JSON file, ``cachewright.plan/1``: what both faces can run later.

A plan file may have been written by anybody: everything in it is checked for its type when it
is read, and nothing in it is believed when it is run (the subject's identity is looked at
again, and its kind).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from cachewright.errors import CachewrightError, PlanInvalid
from cachewright.model import Confirm, Identity, Plan, PlanStep, StepKind
from cachewright.storage.anchored import Directory
from cachewright.strict_json import JsonRefused, read
from cachewright.text import display, is_address, is_text, timestamp

T = TypeVar("T")

SCHEMA: Final = "cachewright.plan/1"
LIMIT: Final = 64 << 20
"""Bytes of a plan file; no sane plan comes near."""
_MEMORY: Final = 512 << 20


def document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values.  A path that is not UTF-8 stands in its safe display form with
    its bytes beside it in ``..._base64``."""
    return {
        "schema": SCHEMA,
        **_path("root", plan.root),
        "format": plan.format,
        "made": timestamp(plan.made_ns),
        "made_ns": plan.made_ns,
        "steps": [_step_document(step) for step in plan.steps],
    }


def _step_document(step: PlanStep) -> dict[str, Any]:
    return {
        "id": step.id,
        "step": step.step.value,
        "subject": step.subject,
        **_path("path", step.path),
        "identity": step.identity.as_json(),
        "signature": step.signature,
        "confirm": step.confirm.value,
        "why": step.why,
        **({"source": None} if step.source is None else _path("source", step.source)),
        "size": step.size,
        "detail": dict(step.detail),
        "typed": step.typed,
    }


def _path(name: str, path: bytes) -> dict[str, Any]:
    if is_text(path):
        return {name: path.decode("utf-8")}
    return {name: display(path), f"{name}_base64": base64.b64encode(path).decode("ascii")}


def save(plan: Plan, path: bytes) -> None:
    """Write the plan to ``path``, replacing a regular file that is there; ``OSError`` as is."""
    text = json.dumps(document(plan), indent=2, ensure_ascii=True) + "\n"
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def load(path: bytes) -> Plan:
    """The plan in the file at ``path``; ``PlanInvalid`` says what is wrong with it."""
    try:
        head, name = os.path.split(os.path.realpath(path))
        with Directory.open(head) as parent:
            content = parent.read(name, LIMIT)
    except (CachewrightError, OSError, ValueError) as error:
        raise PlanInvalid(path=path, reason=str(error)) from error
    return parse(content, path)


def parse(content: bytes, path: bytes = b"the plan") -> Plan:
    """The plan in ``content``; ``path`` is only what messages call it."""
    try:
        data = read(content, LIMIT, memory=_MEMORY)
    except JsonRefused as error:
        where = f" (line {error.line})" if error.line else ""
        raise PlanInvalid(path=path, reason=f"it {error}{where}") from error
    try:
        return _plan(_of(data, dict, "the whole"))
    except (ValueError, OverflowError) as error:
        raise PlanInvalid(path=path, reason=str(error)) from error


def _of(value: Any, kind: type[T], what: str) -> T:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{what} is missing or of the wrong type")
    return value


def _plan(data: Mapping[str, Any]) -> Plan:
    if data.get("schema") != SCHEMA:
        raise ValueError(f"its schema is not {SCHEMA}")
    root = _path_of(data, "root")
    steps = tuple(_step(_of(one, dict, "a step")) for one in _of(data.get("steps"), list, "steps"))
    if len({step.id for step in steps}) != len(steps):
        raise ValueError("two steps have the same id")
    form = _of(data.get("format"), str, "format")
    return Plan(root, form, steps, _of(data.get("made_ns"), int, "made_ns"))


def _step(data: Mapping[str, Any]) -> PlanStep:
    signature = data.get("signature")
    identity = _identity(_of(data.get("identity"), dict, "identity"))
    if signature is None and stat.S_ISDIR(identity.mode):
        raise ValueError("a directory has no signature")
    return PlanStep(
        id=_of(data.get("id"), str, "id"),
        step=StepKind(_of(data.get("step"), str, "step")),
        subject=_of(data.get("subject"), str, "subject"),
        path=_path_of(data, "path"),
        identity=identity,
        confirm=Confirm(_of(data.get("confirm"), str, "confirm")),
        why=_of(data.get("why"), str, "why"),
        signature=None if signature is None else _of(signature, str, "signature"),
        source=None if data.get("source") is None else _path_of(data, "source"),
        size=_of(data.get("size"), int, "size"),
        detail=_of(data.get("detail"), dict, "detail"),
        typed=_of(data.get("typed", ""), str, "typed"),
    )


def _identity(data: Mapping[str, Any]) -> Identity:
    names = Identity.__slots__
    if set(data) != set(names):
        raise ValueError("identity is not complete")
    return Identity(**{name: _of(data[name], int, f"identity's {name}") for name in names})


def _path_of(data: Mapping[str, Any], name: str) -> bytes:
    text = _of(data.get(name), str, name)
    raw = data.get(f"{name}_base64")
    try:
        if raw is None:
            path = text.encode("utf-8")
        else:
            path = base64.b64decode(_of(raw, str, f"{name}_base64"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError(f"{name} is spelled wrongly") from error
    if raw is not None and display(path) != text:
        raise ValueError(f"{name} and {name}_base64 name two different places")
    if is_address(path) and b"\0" not in path:
        return path  # names in a store are any text: there is no plainer way to spell them
    if (
        not path.startswith(b"/")
        or path.startswith(b"//")
        or os.path.normpath(path) != path
        or b"\0" in path
    ):
        raise ValueError(f"{name} is neither a plain absolute path nor the address of a store")
    return path
