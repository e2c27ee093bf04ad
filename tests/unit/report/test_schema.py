from __future__ import annotations

from importlib import resources
from typing import Any

import pytest

from cachewright.report import schema


def test_every_schema_file_has_a_name_and_every_name_a_file() -> None:
    files = {
        one.name.removesuffix("-1.json")
        for one in resources.files("cachewright.report.schema").iterdir()
        if one.name.endswith(".json")
    }
    assert files == set(schema.NAMES)


@pytest.mark.parametrize("name", schema.NAMES)
def test_a_schema_says_which_document_it_is_for(name: str) -> None:
    known = schema.load(name)
    assert known["properties"]["schema"] == {"const": f"cachewright.{name}/1"}
    assert "schema" in known["required"]


def test_what_two_documents_share_is_the_same_in_both() -> None:
    """Each file stands alone, so shared parts are repeated: they must not drift apart."""
    seen: dict[str, Any] = {}
    for name in schema.NAMES:
        for part, definition in schema.load(name).get("$defs", {}).items():
            assert seen.setdefault(part, definition) == definition, (name, part)


def test_a_name_that_is_no_document_is_refused() -> None:
    with pytest.raises(KeyError):
        schema.load("../../secrets")
