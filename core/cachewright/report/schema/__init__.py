"""The JSON Schemas (draft 2020-12) of the documents, as files and as values.

Each file stands alone, so that another program may copy the one it reads.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

NAMES: Final = (
    "check",
    "locks",
    "plan",
    "outcome",
    "discover",
    "journal",
    "quarantine",
    "baseline",
    "error",
)


def load(name: str) -> dict[str, Any]:
    """The schema of ``cachewright.<name>/1``; ``KeyError`` for a name that is not in ``NAMES``."""
    if name not in NAMES:
        raise KeyError(name)
    content = resources.files(__name__).joinpath(f"{name}-1.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(content)
    return schema
