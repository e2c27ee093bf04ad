"""Locks that are items of a DynamoDB table, by the name that Terraform gives their key.

An item with ``Info`` is a lock; one with ``Digest`` lies there for good and is none.  An item with
neither still keeps everybody out, because the tools only create an item that is not there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import AddressInvalid, StoreUnreadable
from cachewright.locks.aws import UNTOUCHED, Answered, Connection, clock_ns
from cachewright.locks.store import Condition, Stored
from cachewright.model import Access, CancelToken, Claim, Gap
from cachewright.strict_json import read
from cachewright.text import display

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCHEME: Final = "dynamodb://"
KEY: Final = "LockID"
INFO: Final = "Info"
DIGEST: Final = "Digest"
ITEM: Final = "item"
"""The attribute of a record that holds its whole item, as JSON."""

_PAGES_AT_MOST: Final = 100_000
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}|arn:[\w.:/-]+", re.ASCII)
_ITEM: Final = 16 << 20
_DEEPEST: Final = 256
"""Bytes and levels of an item, which has at most 400 KB and 32 of them."""
_UNFIT: Final = "ConditionalCheckFailedException"

Value = Mapping[str, Any]
"""As the wire spells it: ``{"S": "text"}``."""


class TableStore:
    """The items of ``dynamodb://table`` or, with ``dynamodb://table/prefix``, those whose
    ``LockID`` begins so.  ``version`` is the SHA-256 of the exact item."""

    def __init__(self, address: str, access: Access, claim: Callable[[Stored], Claim]) -> None:
        """Asks nobody yet; ``AddressInvalid`` and ``ExtraMissing`` as ``Connection``."""
        self.table, _, self.prefix = address.removeprefix(SCHEME).partition("/")
        if _TABLE.fullmatch(self.table) is None:
            reason = "it names no table, as dynamodb://table does"
            raise AddressInvalid(path=address, reason=reason)
        self._claim = claim
        self._connection: Connection[DynamoDBClient] = Connection("dynamodb", self.root, access)

    @property
    def root(self) -> bytes:
        return self.where(self.prefix) if self.prefix else f"{SCHEME}{self.table}".encode()

    def where(self, key: str) -> bytes:
        return f"{SCHEME}{self.table}/{key}".encode()

    def claim(self, stored: Stored) -> Claim:
        return self._claim(stored)

    def close(self) -> None:
        self._connection.close()

    def notes(self) -> Sequence[str]:
        return ()

    def list(self, cancel: CancelToken | None = None) -> tuple[Sequence[Stored], Sequence[Gap]]:
        token = cancel or CancelToken()
        found: list[Stored] = []
        foreign = 0
        for page in self._pages(token):
            for item in page["Items"]:
                stored = self._stored(item, page)
                if stored is None:
                    foreign += 1
                elif stored.key.startswith(self.prefix):
                    found.append(stored)
        if foreign and not found:
            reason = f"its items have no {KEY}: it is no table of Terraform locks"
            raise StoreUnreadable(path=self.root, reason=reason, left=UNTOUCHED)
        return found, ()

    def _pages(self, cancel: CancelToken) -> Iterator[Mapping[str, Any]]:
        more: dict[str, Any] = {}
        for _page in range(_PAGES_AT_MOST):
            cancel.check()
            page: Mapping[str, Any] = self._connection.ask(
                self.root,
                partial(self._scan, more),
            )
            if not isinstance(page.get("Items"), list):
                break
            yield page
            following = page.get("LastEvaluatedKey")
            if not following:
                return
            if following == more.get("ExclusiveStartKey"):
                break
            more = {"ExclusiveStartKey": following}
        raise self._connection.nonsense(self.root)

    def _scan(self, more: Mapping[str, Any], table: DynamoDBClient) -> Mapping[str, Any]:
        return table.scan(TableName=self.table, ConsistentRead=True, **more)

    def read(self, key: str) -> Stored | None:
        where = self.where(key)
        answer: Mapping[str, Any] = self._connection.ask(
            where,
            lambda table: table.get_item(
                TableName=self.table,
                Key={KEY: {"S": key}},
                ConsistentRead=True,
                # So that "no such item" is an answer, and not how boto3 reads any odd page.
                ReturnConsumedCapacity="TOTAL",
            ),
        )
        if "Item" not in answer:
            if "ConsumedCapacity" not in answer:
                raise self._connection.nonsense(where)
            return None
        stored = self._stored(answer["Item"], answer)
        if stored is None or stored.key != key:
            raise self._connection.nonsense(where)
        return stored

    def _stored(self, item: Mapping[str, Value], answer: Mapping[str, Any]) -> Stored | None:
        try:
            return _stored(item, clock_ns(answer))
        except (RecursionError, UnicodeEncodeError):  # no table holds either
            raise self._connection.nonsense(self.root) from None

    def condition(self, key: str) -> Condition:
        del key
        return Condition(True, "DynamoDB always compares before it deletes.")

    def delete(self, stored: Stored, *, conditional: bool = True) -> bool:
        """Always on condition that ``Info`` is exactly what was read, which DynamoDB heeds."""
        del conditional
        item = _item(stored)
        condition, values = _same_info(item)
        return self._change(
            stored.key,
            lambda table: table.delete_item(
                TableName=self.table,
                Key={KEY: item[KEY]},
                ConditionExpression=condition,
                **values,
            ),
        )

    def put_back(self, stored: Stored) -> bool:
        item = _item(stored)
        return self._change(
            stored.key,
            lambda table: table.put_item(
                TableName=self.table,
                Item=item,
                ConditionExpression=f"attribute_not_exists({KEY})",
            ),
        )

    def _change(self, key: str, call: Callable[[DynamoDBClient], object]) -> bool:
        try:
            left = "The item was left untouched."
            self._connection.ask(self.where(key), call, left=left, acts=True)
        except Answered as error:
            if error.code == _UNFIT:
                return False
            raise
        return True


def _stored(item: Mapping[str, Value], read_ns: int) -> Stored | None:
    """The item as a record; None where it has no ``LockID``."""
    key = item.get(KEY, {}).get("S")
    if not isinstance(key, str):
        return None
    key.encode("utf-8")
    spelled = json.dumps(item, sort_keys=True, default=_spelled)
    info, digest = item.get(INFO), item.get(DIGEST)
    body = _body(info)
    return Stored(
        key=key,
        body=body,
        version=hashlib.sha256(spelled.encode()).hexdigest(),
        size=len(body),
        attributes={ITEM: spelled},
        is_lock=info is not None or digest is None,
        what="" if info is not None or digest is None else _digest_words(key),
        read_ns=read_ns,
    )


def _body(info: Value | None) -> bytes:
    """What ``Info`` says; spelled out where it is no text, which no tool can read."""
    if info is None:
        return b""
    told = info.get("S")
    return (told if isinstance(told, str) else json.dumps(info, default=_spelled)).encode(
        "utf-8", "surrogatepass"
    )


def _digest_words(key: str) -> str:
    state = display(key.removesuffix("-md5"))
    return f"the digest of the state {state}, which lies there for good"


def _spelled(value: object) -> object:
    """Bytes of a binary attribute, which JSON has no word for."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    raise TypeError(type(value).__name__)


def _respelled(data: Any) -> Any:
    """A map's values are never bare text, so a map that has the key cannot be mistaken."""
    if isinstance(data, list):
        return [_respelled(one) for one in data]
    if not isinstance(data, dict):
        return data
    told = data.get("hex") if len(data) == 1 else None
    if isinstance(told, str):
        return bytes.fromhex(told)
    return {name: _respelled(value) for name, value in data.items()}


def _item(stored: Stored) -> dict[str, Any]:
    spelled = stored.attributes[ITEM].encode()
    item: dict[str, Any] = _respelled(read(spelled, _ITEM, deepest=_DEEPEST, halves=True))
    return item


def _same_info(item: Mapping[str, Value]) -> tuple[str, dict[str, Any]]:
    """The condition that the item still says what it said."""
    if INFO in item:
        return "Info = :info", {"ExpressionAttributeValues": {":info": item[INFO]}}
    return f"attribute_exists({KEY}) AND attribute_not_exists({INFO})", {}
