"""Locks in a table of a real server: items told apart, deleted only as they were read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import wire

from cachewright.errors import AddressInvalid, AnswerLost, Cancelled, StoreUnreadable
from cachewright.formats.terraform_store import claim_of_item
from cachewright.locks import dynamodb
from cachewright.locks.dynamodb import TableStore
from cachewright.locks.store import Stored
from cachewright.model import Access, CancelToken, Claim

INFO = '{"ID":"one"}'
KEY = "bucket/a/terraform.tfstate"
Open = Callable[..., TableStore]


@pytest.fixture
def table(aws: Any) -> str:
    name: str = aws.table()
    return name


@pytest.fixture
def opened(aws: Any) -> Iterator[Open]:
    stores: list[TableStore] = []

    def make(address: str, between: wire.Wire | None = None, **how: Any) -> TableStore:
        endpoint = between.endpoint if between else aws.endpoint
        access = Access(**{"endpoint_url": endpoint, "timeout_s": 20.0, **how})
        store = TableStore(f"dynamodb://{address}", access, lambda _one: Claim())
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


def read(store: TableStore, key: str = KEY) -> Stored:
    stored = store.read(key)
    assert stored is not None
    return stored


def test_locks_and_digests_are_told_apart(aws: Any, table: str, opened: Open) -> None:
    aws.put_item(table, LockID=KEY, Info=INFO)
    aws.put_item(table, LockID=f"{KEY}-md5", Digest="0123")
    aws.put_item(table, LockID="bucket/empty")
    found, gaps = opened(table).list()
    assert not gaps
    assert {one.key: (one.is_lock, one.body) for one in found} == {
        KEY: (True, INFO.encode()),
        f"{KEY}-md5": (False, b""),
        "bucket/empty": (True, b""),
    }
    (digest,) = [one for one in found if not one.is_lock]
    assert digest.what == f"the digest of the state {KEY}, which lies there for good"
    assert all(one.read_ns and not one.changed_ns for one in found)


def test_addresses_and_prefixes(aws: Any, table: str, opened: Open) -> None:
    aws.put_item(table, LockID=KEY, Info=INFO)
    aws.put_item(table, LockID="other/x", Info=INFO)
    store = opened(f"{table}/bucket/")
    assert [one.key for one in store.list()[0]] == [KEY]
    assert store.root == f"dynamodb://{table}/bucket/".encode()
    assert store.where(KEY) == f"dynamodb://{table}/{KEY}".encode()
    assert opened(table).root == f"dynamodb://{table}".encode()
    assert store.read("no such item") is None


def test_page_after_page_is_read_until_the_last(
    aws: Any, table: str, opened: Open, between: wire.Wire
) -> None:
    for number in range(5):
        aws.put_item(table, LockID=f"b/{number}", Info=INFO)

    def small_pages(asked: wire.Asked) -> wire.Reply | None:
        if asked.target != "Scan":
            return None
        body = asked.body.replace(b"{", b'{"Limit": 2, ', 1)
        return between.forward(dataclasses.replace(asked, body=body).without("content-length"))

    between.rule = small_pages
    assert len(opened(table, between).list()[0]) == 5
    assert between.targets() == ["Scan"] * 3
    assert all(b'"ConsistentRead": true' in one.body for one in between.asked)


def test_a_server_that_pages_in_a_circle_is_left(
    table: str, opened: Open, between: wire.Wire
) -> None:
    page = b'{"Items": [], "Count": 0, "LastEvaluatedKey": {"LockID": {"S": "x"}}}'
    between.rule = lambda _asked: wire.Reply(200, page, {"Content-Type": "application/json"})
    with pytest.raises(StoreUnreadable, match="makes no sense"):
        opened(table, between).list()
    assert len(between.asked) == 2


def test_a_table_of_something_else_is_told(aws: Any, opened: Open) -> None:
    name = aws.table("Name")
    aws.put_item(name, Name="x", Info=INFO)
    with pytest.raises(StoreUnreadable, match=f"^dynamodb://{name}: its items have no LockID"):
        opened(name).list()


def test_listing_stops_when_asked_to(table: str, opened: Open) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        opened(table).list(token)


@pytest.mark.parametrize("conditional", [True, False])
def test_only_the_very_same_info_is_deleted(
    aws: Any, table: str, opened: Open, conditional: bool
) -> None:
    aws.put_item(table, LockID=KEY, Info=INFO)
    store = opened(table)
    stored = read(store)
    aws.put_item(table, LockID=KEY, Info='{"ID":"two"}')
    assert not store.delete(stored, conditional=conditional)
    assert KEY in aws.items(table)
    now = read(store)
    assert now.version != stored.version
    assert store.delete(now, conditional=conditional)
    assert aws.items(table) == {}
    assert not store.delete(now, conditional=conditional)


def test_an_item_without_info_is_deleted_only_without(aws: Any, table: str, opened: Open) -> None:
    aws.put_item(table, LockID=KEY)
    store = opened(table)
    stored = read(store)
    aws.put_item(table, LockID=KEY, Info=INFO)
    assert not store.delete(stored)
    aws.put_item(table, LockID=KEY)
    assert store.delete(stored)
    assert not store.delete(stored)


@pytest.mark.parametrize(
    "more",
    [
        {"Info": {"S": INFO}},
        {},
        {"Info": {"N": "5"}},
        {"Info": {"B": b"\x00\xff"}},
        {"Info": {"S": ""}, "Map": {"M": {"hex": {"M": {}}}}, "Set": {"BS": [b"a", b"\xff"]}},
    ],
    ids=["text", "none", "number", "bytes", "more"],
)
def test_any_item_is_put_back_as_it_was_and_never_over_another(
    aws: Any, table: str, opened: Open, more: dict[str, Any]
) -> None:
    item = {"LockID": {"S": KEY}, **more}
    aws.dynamodb.put_item(TableName=table, Item=item)
    store = opened(table)
    stored = read(store)
    assert stored.is_lock
    assert not store.put_back(stored)
    assert store.delete(stored)
    assert store.put_back(stored)
    assert aws.items(table) == {KEY: item}
    assert read(store).version == stored.version
    aws.put_item(table, LockID=KEY, Info='{"ID":"two"}')
    assert not store.put_back(stored)
    assert aws.items(table)[KEY]["Info"]["S"] == '{"ID":"two"}'


def test_dynamodb_is_known_to_heed_conditions(table: str, opened: Open, between: wire.Wire) -> None:
    tried = opened(table, between).condition(KEY)
    assert tried.heeded is True
    assert not between.asked


LOST = [wire.SILENCE, wire.CUT, wire.DRIP, wire.error_json(500, "InternalServerError")]


@pytest.mark.parametrize("reply", LOST, ids=["silence", "cut", "drip", "500"])
def test_an_answer_that_is_lost_is_told_and_nothing_is_asked_again(
    aws: Any, table: str, opened: Open, between: wire.Wire, reply: wire.Reply
) -> None:
    aws.put_item(table, LockID=KEY, Info=INFO)
    store = opened(table, between, timeout_s=3.0)
    stored = read(store)
    between.asked.clear()
    between.rule = lambda _asked: reply
    for act in (store.delete, store.put_back):
        with pytest.raises(AnswerLost, match=f"^dynamodb://{table}/{KEY}: "):
            act(stored)
    assert between.targets() == ["DeleteItem", "PutItem"]


NOT_HEARD = {
    "html": (wire.HTML, "makes no sense"),
    "truncated": (wire.Reply(200, b'{"Items": [', {"Content-Type": "application/json"}), "sense"),
    "no table": (wire.error_json(400, "ResourceNotFoundException"), "there is no table"),
    "denied": (wire.error_json(400, "AccessDeniedException"), r"access is denied \(said the test"),
    "expired": (wire.error_json(400, "ExpiredTokenException"), "credentials have expired"),
    "unknown key": (wire.error_json(400, "UnrecognizedClientException"), "not accepted"),
    "busy": (wire.error_json(400, "ProvisionedThroughputExceededException"), "too busy"),
    "500": (wire.error_json(500, "InternalServerError"), "failed with 500"),
    "cut": (wire.CUT, "broke off"),
}


@pytest.mark.parametrize(("reply", "said"), NOT_HEARD.values(), ids=NOT_HEARD)
def test_a_table_that_cannot_be_read_is_told_in_one_sentence(
    table: str, opened: Open, between: wire.Wire, reply: wire.Reply, said: str
) -> None:
    between.rule = lambda _asked: reply
    store = opened(table, between)
    for act in (store.list, lambda: store.read(KEY)):
        between.asked.clear()
        with pytest.raises(StoreUnreadable, match=said) as caught:
            act()
        assert str(caught.value).startswith(f"dynamodb://{table}")
        assert str(caught.value).endswith("Nothing was changed.")
        assert len(between.asked) == 1


def test_the_timeout_that_was_said_is_kept(table: str, opened: Open, between: wire.Wire) -> None:
    between.rule = lambda _asked: wire.SILENCE
    with pytest.raises(StoreUnreadable, match=r"gave no answer within 1 second"):
        opened(table, between, timeout_s=1.0).list()
    assert len(between.asked) == 1


@pytest.mark.parametrize(
    "address", ["dynamodb://", "dynamodb:///x", "dynamodb://a b", "dynamodb://ab"]
)
def test_an_address_names_a_table(address: str) -> None:
    with pytest.raises(AddressInvalid, match="names no table"):
        TableStore(address, Access(), lambda _one: Claim())


@pytest.mark.parametrize(
    "item",
    [
        {"LockID": {"S": "half \ud800"}, "Info": {"S": "{}"}},
        {"LockID": {"S": "deep"}, "Info": {"S": "{}"}, "more": "deep"},
    ],
)
def test_an_item_that_no_table_holds_is_told(opened: Open, item: dict[str, Any]) -> None:
    if item.get("more") == "deep":
        inner: dict[str, Any] = {"S": "x"}
        for _level in range(5000):
            inner = {"L": [inner]}
        item = {**item, "more": inner}
    store = opened("t-a-b")
    with pytest.raises(StoreUnreadable, match="makes no sense"):
        store._stored(item, {})


def test_half_a_character_in_what_a_lock_says_makes_it_garbage() -> None:
    stored = dynamodb._stored({"LockID": {"S": "k"}, "Info": {"S": '{"ID": "\ud800"}'}}, 0)
    assert stored is not None
    assert claim_of_item(stored).garbage == "It is not text."
    assert dynamodb._item(stored)["Info"] == {"S": '{"ID": "\ud800"}'}
