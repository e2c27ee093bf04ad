"""What Terraform's objects and items are called, and what is said of each."""

from __future__ import annotations

import pytest

from cachewright.errors import AddressInvalid
from cachewright.formats.registry import by_name, formats
from cachewright.formats.terraform_store import (
    SCHEMES,
    claim_of_item,
    claim_of_object,
    open_store,
)
from cachewright.locks.store import Stored
from cachewright.model import Access


def stored(key: str, body: bytes = b'{"ID": "x", "Who": "a@b"}', size: int | None = None) -> Stored:
    return Stored(key, body, "v", len(body) if size is None else size)


@pytest.mark.parametrize(
    ("key", "subject"),
    [
        ("a/terraform.tfstate.tflock", "State bucket/a/terraform.tfstate"),
        (
            "env:/blue/a/terraform.tfstate.tflock",
            "State bucket/env:/blue/a/terraform.tfstate, workspace blue",
        ),
        ("spaces/blue/x.tflock", "State bucket/spaces/blue/x"),
        ("\x1b[31m\u202e.tflock", "State bucket/\\x1b[31m\\u202e"),
    ],
)
def test_an_object_guards_the_state_beside_it(key: str, subject: str) -> None:
    claim = claim_of_object("bucket", stored(key))
    assert (claim.subject, claim.id, claim.host) == (subject, "x", "b")


def test_an_item_is_called_as_its_state() -> None:
    claim = claim_of_item(stored("bucket/env:/blue/x"))
    assert claim.subject == "State bucket/env:/blue/x, workspace blue"


def test_of_a_huge_record_nothing_is_believed() -> None:
    claim = claim_of_item(stored("bucket/x", size=10 << 20))
    assert (claim.id, claim.garbage) == ("", "It is larger than 64 KiB, which no lock is.")
    assert claim.subject == "State bucket/x"


def test_only_a_part_of_a_bucket_tells_where_the_rest_is(credentials: dict[str, str]) -> None:
    del credentials
    (note,) = open_store("s3://bucket/a", Access()).notes()
    assert "env:/" in note
    assert not open_store("s3://bucket", Access()).notes()
    assert not open_store("dynamodb://table", Access()).notes()


def test_no_other_place_is_opened() -> None:
    with pytest.raises(AddressInvalid, match="no state locks are kept there"):
        open_store("gs://bucket", Access())


def test_one_registered_format_opens_these_stores() -> None:
    assert [one.name for one in formats().values() if one.schemes] == ["terraform-state"]
    assert by_name("terraform-state").schemes == SCHEMES
