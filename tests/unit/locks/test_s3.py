"""Locks in a bucket of a real server: listed, read to a limit, deleted only as they were."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import socket
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wire

from cachewright.errors import (
    AddressInvalid,
    AnswerLost,
    CachewrightError,
    Cancelled,
    StoreUnreadable,
)
from cachewright.locks.s3 import BODY_LIMIT, SCRATCH, S3Store
from cachewright.model import Access, CancelToken, Claim

BODY = b'{"ID":"one"}'
KEY = "a/terraform.tfstate.tflock"
Open = Callable[..., S3Store]


@pytest.fixture
def bucket(aws: Any) -> str:
    name: str = aws.bucket()
    return name


@pytest.fixture
def opened(aws: Any) -> Iterator[Open]:
    """Opens a store; by way of the wire where one is given."""
    stores: list[S3Store] = []

    def make(address: str, between: wire.Wire | None = None, **how: Any) -> S3Store:
        endpoint = between.endpoint if between else aws.endpoint
        access = Access(**{"endpoint_url": endpoint, "timeout_s": 20.0, **how})
        store = S3Store(f"s3://{address}", access, lambda _one: Claim(), suffix=".tflock")
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


def keys(store: S3Store) -> list[str]:
    found, gaps = store.list()
    assert not gaps
    return sorted(one.key for one in found)


def test_every_lock_of_a_bucket_is_listed_whatever_its_workspace(
    aws: Any, bucket: str, opened: Open
) -> None:
    names = [KEY, "env:/blue/a/terraform.tfstate.tflock", "other prefix:/x/ü+é%41.tflock"]
    for name in (*names, "a/terraform.tfstate", "a/terraform.tfstate.tflock.bak"):
        aws.put(bucket, name, BODY)
    assert keys(opened(bucket)) == sorted(names)
    assert keys(opened(f"{bucket}/")) == sorted(names)


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("a", ["a/x.tflock", "a.tflock"]),
        ("a/", ["a/x.tflock"]),
        ("a/x", ["a/x.tflock"]),
        ("a/x.tflock", ["a/x.tflock"]),
        ("a/x.tf", []),
        ("b", []),
    ],
)
def test_a_prefix_ends_where_a_name_does(
    aws: Any, bucket: str, opened: Open, prefix: str, found: list[str]
) -> None:
    for name in ("a/x.tflock", "a.tflock", "ab/x.tflock", "b.txt"):
        aws.put(bucket, name, BODY)
    assert keys(opened(f"{bucket}/{prefix}")) == sorted(found)


def test_a_lock_tells_what_a_release_must_compare(aws: Any, bucket: str, opened: Open) -> None:
    etag = aws.put(bucket, KEY, BODY, ContentType="application/json", ServerSideEncryption="AES256")
    store = opened(bucket)
    stored = store.read(KEY)
    assert stored is not None
    assert (stored.key, stored.body, stored.version, stored.size) == (KEY, BODY, etag, len(BODY))
    assert stored.attributes == {
        "ContentType": "application/json",
        "ServerSideEncryption": "AES256",
    }
    assert 0 < stored.changed_ns <= stored.read_ns
    assert store.where(KEY) == f"s3://{bucket}/{KEY}".encode()
    assert store.read("no such key") is None


def test_page_after_page_is_read_until_the_last(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    for number in range(5):
        aws.put(bucket, f"{number}.tflock", BODY)

    def small_pages(asked: wire.Asked) -> wire.Reply | None:
        if "list-type" in asked.query:
            return between.forward(asked.asking(f"{asked.query}&max-keys=2"))
        return None

    between.rule = small_pages
    assert len(keys(opened(bucket, between))) == 5
    assert len([one for one in between.asked if "list-type" in one.query]) == 3


def test_a_server_that_pages_in_a_circle_is_left(
    bucket: str, opened: Open, between: wire.Wire
) -> None:
    page = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>again</NextContinuationToken></ListBucketResult>"
    )
    between.rule = lambda _asked: wire.Reply(200, page, {"Content-Type": "application/xml"})
    with pytest.raises(StoreUnreadable, match="makes no sense"):
        opened(bucket, between).list()
    assert len(between.asked) == 2


@pytest.mark.parametrize("ranges", [True, False])
def test_of_a_huge_body_only_the_beginning_is_read(
    aws: Any, bucket: str, opened: Open, between: wire.Wire, ranges: bool
) -> None:
    aws.put(bucket, KEY, b"x" * (10 << 20))
    if not ranges:
        between.rule = lambda asked: between.forward(asked.without("range"))
    (stored,), gaps = opened(bucket, between).list()
    assert not gaps
    assert (len(stored.body), stored.size) == (BODY_LIMIT, 10 << 20)
    assert between.of("GET", KEY)[0].headers["range"] == f"bytes=0-{BODY_LIMIT - 1}"
    if ranges:
        assert between.sent[KEY] == BODY_LIMIT


def test_an_empty_object_is_read_where_it_has_no_first_byte(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    aws.put(bucket, KEY, b"")

    def as_aws_does(asked: wire.Asked) -> wire.Reply | None:
        ranged = asked.method == "GET" and "range" in asked.headers
        return wire.error(416, "InvalidRange") if ranged else None

    between.rule = as_aws_does
    stored = opened(bucket, between).read(KEY)
    assert stored is not None
    assert (stored.body, stored.size, bool(stored.version)) == (b"", 0, True)


def test_a_lock_that_goes_while_it_is_listed_is_none(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    aws.put(bucket, KEY, BODY)
    aws.put(bucket, "b.tflock", BODY)

    def vanishing(asked: wire.Asked) -> wire.Reply | None:
        if asked.key == KEY:
            aws.s3.delete_object(Bucket=bucket, Key=KEY)
        return None

    between.rule = vanishing
    assert keys(opened(bucket, between)) == ["b.tflock"]


def test_what_may_not_be_read_is_a_gap_and_the_rest_is_read(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    for name in ("a.tflock", "b.tflock"):
        aws.put(bucket, name, BODY)
    denied = wire.error(403, "AccessDenied")
    between.rule = lambda asked: denied if asked.key == "a.tflock" else None
    found, (gap,) = opened(bucket, between).list()
    assert [one.key for one in found] == ["b.tflock"]
    assert gap.path == f"s3://{bucket}/a.tflock".encode()
    assert gap.reason == "access is denied (said the test)"


def test_a_store_that_stops_answering_is_waited_for_once(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    for name in "abc":
        aws.put(bucket, f"{name}.tflock", BODY)
    between.rule = lambda asked: wire.SILENCE if asked.key == "b.tflock" else None
    found, (gap,) = opened(bucket, between, timeout_s=3.0).list()
    assert [one.key for one in found] == ["a.tflock"]
    assert gap.path == f"s3://{bucket}/b.tflock".encode()
    assert gap.reason.endswith("no answer within 3 seconds, so no more locks were read")
    assert not between.of("GET", "c.tflock")


def test_listing_stops_when_asked_to(aws: Any, bucket: str, opened: Open) -> None:
    aws.put(bucket, KEY, BODY)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        opened(bucket).list(token)


def test_only_the_version_that_was_read_is_deleted(aws: Any, bucket: str, opened: Open) -> None:
    aws.put(bucket, KEY, BODY)
    store = opened(bucket)
    stored = store.read(KEY)
    assert stored is not None
    aws.put(bucket, KEY, b"another")
    for conditional in (True, False):
        assert not store.delete(stored, conditional=conditional)
        assert aws.body(bucket, KEY) == b"another"
    now = store.read(KEY)
    assert now is not None
    assert store.delete(now)
    assert aws.body(bucket, KEY) is None
    assert not store.delete(now)
    assert not store.delete(now, conditional=False)


def test_without_a_condition_it_is_compared_right_before(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    aws.put(bucket, KEY, BODY)
    store = opened(bucket, between)
    stored = store.read(KEY)
    assert stored is not None
    between.asked.clear()
    assert store.delete(stored, conditional=False)
    assert [one.method for one in between.asked] == ["GET", "DELETE"]
    assert "if-match" not in between.of("DELETE")[0].headers


def test_the_condition_is_the_version(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    etag = aws.put(bucket, KEY, BODY)
    store = opened(bucket, between)
    stored = store.read(KEY)
    assert stored is not None
    assert store.delete(stored)
    assert between.of("DELETE")[0].headers["if-match"] == etag


def test_a_lock_is_put_back_as_it_was_and_never_over_another(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    how = {"ContentType": "application/json", "ServerSideEncryption": "AES256"}
    aws.put(bucket, KEY, BODY, **how)
    store = opened(bucket, between)
    stored = store.read(KEY)
    assert stored is not None
    assert not store.put_back(stored)
    aws.s3.delete_object(Bucket=bucket, Key=KEY)
    assert store.put_back(stored)
    assert between.of("PUT")[-1].headers["if-none-match"] == "*"
    head = aws.s3.head_object(Bucket=bucket, Key=KEY)
    assert {name: head[name] for name in how} == how
    assert aws.body(bucket, KEY) == BODY
    aws.put(bucket, KEY, b"another")
    assert not store.put_back(stored)
    assert aws.body(bucket, KEY) == b"another"


def test_a_beginning_is_never_put_back(bucket: str, opened: Open, between: wire.Wire) -> None:
    store = opened(bucket, between)
    part = dataclasses.replace(_stored(), size=len(BODY) + 1)
    with pytest.raises(StoreUnreadable, match="only the first 12 of its 13 bytes"):
        store.put_back(part)
    assert not between.asked


def _stored() -> Any:
    from cachewright.locks.store import Stored

    return Stored(KEY, BODY, '"etag"', len(BODY))


# Whether conditions are heeded


def test_a_store_that_compares_is_believed_after_a_try(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    aws.put(bucket, KEY, BODY)
    tried = opened(bucket, between).condition(KEY)
    assert (tried.heeded, tried.why) == (
        True,
        "The store compares before it deletes: it was tried.",
    )
    assert aws.keys(bucket) == [KEY]
    assert all(one.key.startswith(KEY + SCRATCH) for one in between.asked)
    assert between.asked[0].headers["if-none-match"] == "*"
    assert len({one.key for one in between.asked}) == 1


def test_each_try_is_on_an_object_of_its_own(bucket: str, opened: Open, between: wire.Wire) -> None:
    store = opened(bucket, between)
    assert store.condition(KEY).heeded
    assert store.condition(KEY).heeded
    assert len({one.key for one in between.asked}) == 2


def test_a_store_that_ignores_conditions_is_found_out(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    aws.put(bucket, KEY, BODY)
    between.rule = lambda asked: between.forward(asked.without("if-match"))
    tried = opened(bucket, between).condition(KEY)
    assert tried.heeded is False
    assert "deletes without regard to conditions" in tried.why
    assert aws.keys(bucket) == [KEY]


@pytest.mark.parametrize("status", [400, 501])
def test_a_store_that_takes_no_conditions_is_found_out(
    aws: Any, bucket: str, opened: Open, between: wire.Wire, status: int
) -> None:
    def refusing(asked: wire.Asked) -> wire.Reply | None:
        if asked.method == "DELETE" and "if-match" in asked.headers:
            return wire.error(status, "NotImplemented", "A header you provided")
        return None

    between.rule = refusing
    tried = opened(bucket, between).condition(KEY)
    assert tried.heeded is False
    assert "does not take a condition" in tried.why
    assert aws.keys(bucket) == []


def test_a_store_that_says_deleted_and_keeps_it_is_not_believed(
    bucket: str, opened: Open, between: wire.Wire
) -> None:
    between.rule = lambda asked: wire.Reply(204) if asked.method == "DELETE" else None
    tried = opened(bucket, between).condition(KEY)
    assert tried.heeded is False
    assert "still there" in tried.why
    assert "may be left: s3://" not in tried.why  # it says that it is gone, and cannot be asked


def test_without_the_right_to_write_it_cannot_be_tried(
    bucket: str, opened: Open, between: wire.Wire
) -> None:
    denied = wire.error(403, "AccessDenied")
    between.rule = lambda asked: denied if asked.method == "PUT" else None
    tried = opened(bucket, between).condition(KEY)
    assert tried.heeded is None
    assert "access is denied" in tried.why
    assert [one.method for one in between.asked] == ["PUT"]


def test_without_the_right_to_delete_what_is_left_is_named(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    denied = wire.error(403, "AccessDenied")
    between.rule = lambda asked: denied if asked.method == "DELETE" else None
    tried = opened(bucket, between).condition(KEY)
    (left,) = aws.keys(bucket)
    assert f"may be left: s3://{bucket}/{left}" in tried.why
    assert tried.heeded is not True


def test_an_object_whose_making_was_not_answered_is_cleaned_up(
    aws: Any, bucket: str, opened: Open, between: wire.Wire
) -> None:
    def lost(asked: wire.Asked) -> wire.Reply | None:
        if asked.method == "PUT":
            between.forward(asked)
            return wire.CUT
        return None

    between.rule = lost
    tried = opened(bucket, between).condition(KEY)
    assert tried.heeded is None
    assert aws.keys(bucket) == []
    assert len(between.of("PUT")) == 1


# Answers that do not come, or make no sense


def _lost(asked: wire.Asked, reply: wire.Reply) -> wire.Reply | None:
    return reply if asked.method in {"DELETE", "PUT"} else None


@pytest.mark.parametrize("act", ["delete", "put_back"])
@pytest.mark.parametrize(
    "reply",
    [
        wire.SILENCE,
        wire.CUT,
        wire.DRIP,
        wire.error(500, "InternalError"),
        wire.error(502, "BadGateway"),
        wire.Reply(503, b"<html>", {"Content-Type": "text/html"}),
    ],
    ids=["silence", "cut", "drip", "500", "502", "503"],
)
def test_an_answer_that_is_lost_is_told_and_nothing_is_asked_again(
    bucket: str, opened: Open, between: wire.Wire, act: str, reply: wire.Reply
) -> None:
    between.rule = lambda asked: _lost(asked, reply)
    store = opened(bucket, between, timeout_s=1.0)
    with pytest.raises(AnswerLost, match=f"^s3://{bucket}/{KEY}: .* It was not asked again.$"):
        getattr(store, act)(_stored())
    assert len(between.asked) == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (wire.error(403, "AccessDenied"), r"access is denied \(said the test\)"),
        (wire.error(501, "NotImplemented"), "failed with 501 NotImplemented"),
        (wire.error(503, "SlowDown"), "too busy"),
        (wire.error(400, "ExpiredToken"), "the credentials have expired"),
        (wire.error(400, "Odd\x1b[31m", "\x1b[31m"), r"answered 400"),
    ],
)
def test_a_refusal_is_no_lost_answer(
    bucket: str, opened: Open, between: wire.Wire, reply: wire.Reply, said: str
) -> None:
    between.rule = lambda asked: _lost(asked, reply)
    for act in (opened(bucket, between).delete, opened(bucket, between).put_back):
        between.asked.clear()
        with pytest.raises(StoreUnreadable, match=said) as caught:
            act(_stored())
        assert "untouched" in str(caught.value) or "Nothing was changed" in str(caught.value)
        assert "\x1b" not in str(caught.value)
        assert len(between.asked) == 1


NOT_HEARD = {
    "html": (wire.HTML, "makes no sense"),
    "truncated": (wire.Reply(200, b"<?xml version='1.0'?><ListBucketResult><Na"), "no sense"),
    "other xml": (wire.Reply(200, b"<?xml version='1.0'?><Hello/>"), "makes no sense"),
    "empty": (wire.Reply(200), "makes no sense"),
    "no bucket": (wire.error(404, "NoSuchBucket"), "there is no bucket of this name"),
    "denied": (wire.error(403, "AccessDenied"), "access is denied"),
    "denied in html": (wire.Reply(403, wire.HTML.body), "access is denied"),
    "expired": (wire.error(400, "ExpiredToken"), "the credentials have expired: log in again"),
    "unknown key": (wire.error(403, "InvalidAccessKeyId"), "the credentials are not accepted"),
    "skew": (wire.error(403, "RequestTimeTooSkewed"), "clock"),
    "500": (wire.error(500, "InternalError"), "failed with 500 InternalError"),
    "cut": (wire.CUT, "broke off before its whole answer"),
    "short": (wire.SHORT, "broke off before its whole answer|no sense"),
    "silence": (wire.SILENCE, "gave no answer within 1 second"),
    "drip": (wire.DRIP, "gave no answer within 1 second"),
}


@pytest.mark.parametrize(("reply", "said"), NOT_HEARD.values(), ids=NOT_HEARD)
def test_a_bucket_that_cannot_be_listed_is_told_in_one_sentence(
    bucket: str, opened: Open, between: wire.Wire, reply: wire.Reply, said: str
) -> None:
    between.rule = lambda _asked: reply
    timeout_s = 1.0 if reply in (wire.SILENCE, wire.DRIP) else 20.0
    with pytest.raises(StoreUnreadable, match=said) as caught:
        opened(f"{bucket}/a", between, timeout_s=timeout_s).list()
    message = str(caught.value)
    assert message.startswith(f"s3://{bucket}/a: ")
    assert message.endswith("Nothing was changed.")
    assert caught.value.exit_code == 3
    assert len(between.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        wire.HTML,
        wire.Reply(200, BODY, {"ETag": '"x"', "Last-Modified": "yesterday"}),
        wire.Reply(206, BODY, {"ETag": '"x"', "Content-Range": "bytes 0-11/99999999"}),
        wire.Reply(200, BODY, {"ETag": '"x"', "Content-Length": "500", "Connection": "close"}),
    ],
    ids=["html", "time", "range", "short"],
)
def test_an_object_that_makes_no_sense_is_told(
    bucket: str, opened: Open, between: wire.Wire, reply: wire.Reply
) -> None:
    between.rule = lambda _asked: reply
    with warnings.catch_warnings():
        # boto3 forgets the connection of an answer whose head makes no sense.
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(StoreUnreadable, match=f"^s3://{bucket}/{KEY}: "):
            opened(bucket, between).read(KEY)
        gc.collect()


def test_nobody_at_the_endpoint(bucket: str, opened: Open) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        store = opened(bucket, endpoint_url=endpoint)
        with pytest.raises(StoreUnreadable, match=f"nothing answers at {endpoint}"):
            store.list()
        with pytest.raises(StoreUnreadable, match="The object was left untouched"):
            store.delete(_stored())


def test_somebody_who_accepts_and_says_nothing(bucket: str, opened: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(StoreUnreadable, match=r"gave no answer within 1 second"):
            opened(bucket, endpoint_url=endpoint, timeout_s=1.0).list()


def test_no_credentials(
    bucket: str, opened: Open, between: wire.Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreUnreadable, match="no whole AWS credentials"):
        opened(bucket, between).list()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StoreUnreadable, match="no whole AWS credentials"):
        opened(bucket, between).list()
    assert not between.asked


def test_a_helper_for_credentials_that_never_ends_is_not_waited_for(
    bucket: str, opened: Open, between: wire.Wire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with open(os.environ["AWS_CONFIG_FILE"], "w", encoding="utf-8") as file:
        file.write(f"[profile slow]\ncredential_process = cat {fifo}\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    store = opened(bucket, between, profile="slow", timeout_s=1.0)
    with pytest.raises(StoreUnreadable, match=r"no credentials came within 1 second"):
        store.list()
    assert not between.asked
    with open(fifo, "wb"):
        pass  # the helper ends


# Addresses and accesses that lead nowhere


@pytest.mark.parametrize(
    "address", ["s3://", "s3:///x", "s3://-a/x", "s3://a b/x", "s3://a", "s3://ü/x", "s3://a?b=c"]
)
def test_an_address_names_a_bucket(address: str) -> None:
    with pytest.raises(AddressInvalid, match="names no bucket"):
        S3Store(address, Access(), lambda _one: Claim(), suffix=".tflock")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"endpoint_url": "127.0.0.1:9000"}, "not the address of a web server"),
        ({"endpoint_url": "ftp://host"}, "not the address of a web server"),
        ({"endpoint_url": "http://"}, "not the address of a web server"),
        ({"endpoint_url": "http://host:99999"}, "not the address of a web server"),
        ({"endpoint_url": "http://me:secret@host"}, "may not carry"),
        ({"endpoint_url": "http://host/?token=secret"}, "may not carry"),
        ({"profile": "nobody"}, "nobody"),
        ({"region": "no such region"}, "region"),
    ],
)
def test_an_access_that_leads_nowhere_is_told(
    credentials: dict[str, str], how: dict[str, Any], said: str
) -> None:
    del credentials
    with pytest.raises(AddressInvalid, match=said) as caught:
        S3Store("s3://bucket/x", Access(**how), lambda _one: Claim(), suffix=".tflock").list()
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith("s3://bucket/x was not looked at: ")


@pytest.mark.parametrize(
    ("how", "environment", "path"),
    [
        ({}, {}, False),
        ({"endpoint_url": "http://store.example"}, {}, True),
        ({}, {"AWS_ENDPOINT_URL": "http://store.example"}, True),
        ({}, {"AWS_ENDPOINT_URL_S3": "http://store.example"}, True),
        ({"endpoint_url": "http://store.example", "path_style": False}, {}, False),
        ({"path_style": True}, {}, True),
    ],
)
def test_where_the_bucket_is_named(
    credentials: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    how: dict[str, Any],
    environment: dict[str, str],
    path: bool,
) -> None:
    del credentials
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    store = S3Store("s3://bucket", Access(**how), lambda _one: Claim(), suffix=".tflock")
    client = store._connection.client()
    url = client.generate_presigned_url("list_objects_v2", {"Bucket": "bucket"})
    assert ("/bucket?" in url) == path
    assert client.meta.region_name == "us-east-1"
    assert client.meta.config.retries["total_max_attempts"] == 1
    store.close()


def test_the_region_that_is_said_or_configured(
    credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del credentials
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for access, region in ((Access(), "eu-west-1"), (Access(region="eu-north-1"), "eu-north-1")):
        store = S3Store("s3://bucket", access, lambda _one: Claim(), suffix=".tflock")
        assert store._connection.client().meta.region_name == region
        store.close()


def test_an_access_point_is_a_bucket_too(credentials: dict[str, str]) -> None:
    del credentials
    arn = "arn:aws:s3:us-east-1:123456789012:accesspoint/mine"
    store = S3Store(f"s3://{arn}/a/b", Access(), lambda _one: Claim(), suffix=".tflock")
    assert (store.bucket, store.prefix) == (arn, "a/b")
    store.close()


def test_without_boto3_the_sentence_names_the_extra() -> None:
    source = textwrap.dedent("""
        import sys
        sys.modules["boto3"] = None
        from cachewright.cli.main import run
        sys.exit(run(["locks", "s3://bucket/prefix"]))
    """)
    ran = subprocess.run(
        [sys.executable, "-P", "-c", source], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 3
    assert ran.stderr == (
        "s3://bucket/prefix is read with boto3, which is not installed. Install it with pip "
        "install 'cachewright[s3]'. Nothing was looked at.\n"
    )


def test_boto3_is_not_imported_before_it_is_needed() -> None:
    source = textwrap.dedent("""
        import sys
        import cachewright.workbench, cachewright.cli.main, cachewright.cli.locks
        import cachewright.formats.terraform_store
        assert not {"boto3", "botocore"} & set(sys.modules)
    """)
    subprocess.run([sys.executable, "-P", "-c", source], check=True)


def test_an_error_is_always_ours(bucket: str, opened: Open, between: wire.Wire) -> None:
    store = opened(bucket, between)
    for status in (204, 301, 304, 400, 401, 404, 405, 409, 412, 418, 429, 599):
        between.rule = lambda _asked, status=status: wire.Reply(status, b"<odd")
        for act in (store.list, lambda: store.read(KEY)):
            between.asked.clear()
            with contextlib.suppress(CachewrightError):
                act()
            assert between.asked
