"""Stores of locks on the command line: how they are named, shown and, above all, how they fail."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import wire
from click.testing import CliRunner

from cachewright.cli.main import run
from cachewright.cli.options import Look, cache, root_place
from cachewright.model import Access
from cachewright.report import schema
from cachewright.workbench import open_bench

KEY = "a/terraform.tfstate.tflock"
INFO = {
    "ID": "0b5e-1",
    "Operation": "OperationTypeApply",
    "Who": "me@build\x1b[31m",
    "Version": "1.11.4",
    "Created": "2026-11-20T10:02:07.525143475Z",
}
BODY = json.dumps(INFO).encode()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def bucket(aws: Any) -> str:
    name: str = aws.bucket()
    aws.put(name, KEY, BODY)
    return name


Said = tuple[int, str, str]
Say = Callable[..., Said]


@pytest.fixture
def say(between: wire.Wire, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run one command line that asks by way of the wire; its code and what it said."""

    def told(*arguments: str, reach: tuple[str, ...] | None = None) -> Said:
        how = ("--endpoint-url", between.endpoint) if reach is None else reach
        code = run([*arguments, *how])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "\x1b[31m" not in out + err
        return code, out, err

    return told


def test_a_lock_is_shown_with_all_that_it_says_and_what_to_type(
    aws: Any, bucket: str, say: Say
) -> None:
    code, out, _err = say("locks", f"s3://{bucket}")
    assert code == 0
    etag = aws.s3.head_object(Bucket=bucket, Key=KEY)["ETag"]
    shown = {" ".join(line.split()) for line in out.splitlines()}
    assert {
        f"unproven: State {bucket}/a/terraform.tfstate (object)",
        "ID 0b5e-1",
        "Operation OperationTypeApply",
        "Who me@build\\x1b[31m",
        f"ETag {etag}",
        f"Lies at s3://{bucket}/{KEY}",
    } <= shown
    assert any(one.startswith("Created 2026-11-20T10:02:07.525143475Z (") for one in shown)


def test_as_json_it_is_what_the_schema_says(aws: Any, bucket: str, say: Say) -> None:
    aws.put(bucket, "big.tflock", b"x" * (10 << 20))
    code, out, _err = say("locks", f"s3://{bucket}", "--json")
    document = json.loads(out)
    jsonschema.Draft202012Validator(schema.load("locks")).validate(document)
    assert code == 0
    assert {one["id"]: one["garbage"] for one in document["locks"]} == {
        "0b5e-1": False,
        "big.tflock": True,
    }
    code, out, _err = say("check", f"s3://{bucket}", "--json")
    jsonschema.Draft202012Validator(schema.load("check")).validate(json.loads(out))
    assert (code, json.loads(out)["complete"]) == (1, True)


def test_check_names_the_command_that_releases(bucket: str, say: Say, between: wire.Wire) -> None:
    code, out, _err = say("check", f"s3://{bucket}")
    assert code == 0
    command = f"cachewright unlock s3://{bucket} --endpoint-url {between.endpoint} -- 0b5e-1"
    assert command in out
    assert "(its ID must be typed)" in out
    assert "entries" not in out
    arguments = command.split()[1:]
    code, _out, err = say(*arguments[:2], *arguments[-1:])
    assert (code, "0b5e-1 must be typed" in err) == (4, True)


def test_without_locks_it_says_so_and_where_more_may_lie(aws: Any, say: Say) -> None:
    code, out, _err = say("locks", f"s3://{aws.bucket()}/app")
    assert code == 0
    assert out.startswith("There are no locks here.\n\nLocks of other workspaces lie below env:/")


def test_a_plan_is_written_and_wants_typing(bucket: str, say: Say, tmp_path: Path) -> None:
    file = str(tmp_path / "plan.json")
    assert say("plan", f"s3://{bucket}", "-o", file)[0] == 0
    code, out, _err = say("repair", f"s3://{bucket}", "--plan", file)
    assert (code, "This was a dry run" in out) == (0, True)
    code, out, _err = say("repair", f"s3://{bucket}", "--plan", file, "--apply", "--yes")
    assert (code, "0b5e-1 must be typed" in out) == (4, True)
    code, out, _err = say("repair", f"s3://{bucket}", "--stale", "--apply")
    assert (code, out) == (0, "There is nothing to repair.\n")
    assert say("repair", f"s3://{bucket}-x", "--plan", file)[0] in {2, 3}


def test_a_store_has_nothing_to_publish(bucket: str, say: Say) -> None:
    code, _out, err = say("publish", f"s3://{bucket}", "entry", "--from", "/tmp")  # noqa: S108
    assert (code, "No entry named entry" in err) == (2, True)


# What can go wrong


DENIED = wire.error(403, "AccessDenied")
FAILS: dict[str, tuple[Callable[[wire.Asked], wire.Reply | None], str]] = {
    "html": (lambda _asked: wire.HTML, "makes no sense"),
    "truncated": (lambda _asked: wire.Reply(200, b"<?xml version='1.0'?><ListB"), "makes no sense"),
    "denied": (lambda _asked: DENIED, "access is denied (said the test)"),
    "expired": (lambda _asked: wire.error(400, "ExpiredToken"), "the credentials have expired"),
    "missing": (lambda _asked: wire.error(404, "NoSuchBucket"), "there is no bucket of this name"),
    "cut": (lambda _asked: wire.CUT, "broke off"),
    "silence": (lambda _asked: wire.SILENCE, "gave no answer within 1 second"),
}


@pytest.mark.parametrize("verb", ["locks", "check", "unlock"])
@pytest.mark.parametrize("fails", FAILS.values(), ids=FAILS)
def test_a_store_that_cannot_be_read_is_one_sentence(
    bucket: str, say: Say, between: wire.Wire, verb: str, fails: tuple[Any, str]
) -> None:
    between.rule, said = fails
    timeout = "1s" if "1 second" in said else "20s"
    more = ["0b5e-1", "--confirm", "0b5e-1"] if verb == "unlock" else []
    code, out, err = say(verb, f"s3://{bucket}", *more, "--timeout", timeout)
    assert (code, out) == (3, "")
    assert err.startswith(f"s3://{bucket}: ")
    assert said in err
    assert err.endswith("Nothing was changed.\n")
    assert err.count("\n") == 1
    assert len(between.asked) == 1


def test_nobody_and_somebody_who_says_nothing_at_the_endpoint(bucket: str, say: Say) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        code, _out, err = say("locks", f"s3://{bucket}", reach=("--endpoint-url", endpoint))
    assert (code, f"nothing answers at {endpoint}" in err) == (3, True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        how = ("--endpoint-url", endpoint, "--timeout", "1s")
        code, out, _err = say("locks", f"s3://{bucket}", "--json", reach=how)
    error = json.loads(out)["error"]
    assert (code, error["kind"]) == (3, "store-unreadable")
    assert "gave no answer within 1 second" in error["message"]


def test_no_credentials(bucket: str, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    code, _out, err = say("locks", f"s3://{bucket}")
    assert (code, "no whole AWS credentials were found" in err) == (3, True)


def test_a_lock_that_may_not_be_read_is_named_and_makes_a_check_incomplete(
    aws: Any, bucket: str, say: Say, between: wire.Wire
) -> None:
    aws.put(bucket, "b.tflock", BODY.replace(b"0b5e-1", b"0b5e-2"))
    between.rule = lambda asked: DENIED if asked.key == KEY else None
    code, out, _err = say("locks", f"s3://{bucket}")
    assert (code, "0b5e-2" in out, "0b5e-1" in out) == (3, True, False)
    assert f"s3://{bucket}/{KEY} could not be read: access is denied (said the test)." in out
    code, out, _err = say("check", f"s3://{bucket}")
    assert (code, "Not looked at: " in out) == (3, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_right_that_is_missing_when_it_comes_to_acting(
    aws: Any, bucket: str, say: Say, between: wire.Wire, method: str
) -> None:
    gets = iter(range(100))

    def rule(asked: wire.Asked) -> wire.Reply | None:
        if asked.method != method or "list-type" in asked.query:
            return None
        if method == "GET" and next(gets) == 0:
            return None  # while it was looked at, the right was there
        return DENIED

    between.rule = rule
    code, out, _err = say("unlock", f"s3://{bucket}", "0b5e-1", "--confirm", "0b5e-1")
    assert (code, aws.body(bucket, KEY)) == (4, BODY)
    assert "access is denied (said the test)" in out
    assert f"s3://{bucket}/{KEY}" in out
    assert len(between.of("DELETE", KEY)) <= 1


@pytest.mark.parametrize("then", [None, b'{"ID": "0b5e-9"}'])
def test_a_lock_that_vanishes_or_changes_between_look_and_act(
    aws: Any, bucket: str, say: Say, between: wire.Wire, then: bytes | None
) -> None:
    gets = iter(range(100))

    def rule(asked: wire.Asked) -> wire.Reply | None:
        if (asked.method, asked.key) == ("GET", KEY) and next(gets) == 1:
            aws.s3.delete_object(Bucket=bucket, Key=KEY)
            if then is not None:
                aws.put(bucket, KEY, then)
        return None

    between.rule = rule
    code, out, _err = say("unlock", f"s3://{bucket}", "0b5e-1", "--confirm", "0b5e-1")
    assert (code, aws.body(bucket, KEY)) == (4, then)
    assert "was left untouched: it changed since it was looked at" in out
    assert not between.of("DELETE")


def test_an_answer_that_is_lost_is_told_and_fails(
    aws: Any, bucket: str, say: Say, between: wire.Wire
) -> None:
    between.rule = lambda asked: wire.CUT if (asked.method, asked.key) == ("DELETE", KEY) else None
    code, out, _err = say("unlock", f"s3://{bucket}", "0b5e-1", "--confirm", "0b5e-1")
    assert (code, aws.body(bucket, KEY)) == (5, BODY)
    assert "the lock is still there" in out
    assert len(between.of("DELETE", KEY)) == 1


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("gs://bucket", "The gcs backend"),
        ("gcs://bucket", "The gcs backend"),
        ("azurerm://x", "The azurerm backend"),
        ("consul://x", "The consul backend"),
        ("pg://x", "The pg backend"),
        ("postgres://me:secret@x/db", "The pg backend"),
        ("kubernetes://x", "The kubernetes backend"),
        ("http://me:secret@x", "The http backend"),
        ("https://x", "The http backend"),
        ("ftp://x", "Cachewright opens directories and dynamodb://, s3://, but no ftp://."),
    ],
)
def test_other_places_are_told_of(say: Say, root: str, said: str) -> None:
    code, out, err = say("locks", root, reach=())
    assert (code, out) == (2, "")
    assert said in err
    assert "secret" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["s3://"], "names no bucket"),
        (["dynamodb://"], "names no table"),
        (["s3://bucket", "--format", "terraform"], "no cache format named terraform for s3://"),
        (["s3://bucket", "--format", "nothing"], "no cache format named nothing"),
        (["s3://bucket", "--profile", "nobody"], "nobody"),
        (["s3://bucket", "--endpoint-url", "nonsense"], "not the address of a web server"),
        (["s3://bucket", "--endpoint-url", "http://me:secret@x"], "may not carry"),
        (["s3://bucket", "--timeout", "0s"], "more than 0 and at most 1h"),
        (["s3://bucket", "--timeout", "2h"], "more than 0 and at most 1h"),
        (["s3://bucket", "--timeout", "soon"], "is not a time"),
    ],
)
def test_what_is_said_wrongly_is_told(say: Say, arguments: list[str], said: str) -> None:
    code, out, err = say("locks", *arguments, reach=())
    assert (code, out) == (2, "")
    assert said in err
    assert "secret" not in err


# How a store is named


def test_an_address_stays_as_it_is() -> None:
    assert root_place("s3://bucket/a/../b//c") == b"s3://bucket/a/../b//c"
    assert root_place("relative") == os.path.join(os.getcwdb(), b"relative")
    assert root_place("./s3://x") == os.path.join(os.getcwdb(), b"s3:/x")
    with pytest.raises(click.BadParameter):
        root_place("")


def test_an_address_is_read_whatever_the_case_of_its_scheme(bucket: str, say: Say) -> None:
    assert "0b5e-1" in say("locks", f"S3://{bucket}")[1]


def test_every_option_reaches_the_workbench_and_the_commands_that_are_shown() -> None:
    seen: list[Look] = []

    @click.command()
    @cache
    def verb(look: Look) -> int:
        seen.append(look)
        return 0

    said = ["--endpoint-url", "http://x", "--profile", "p", "--region", "r"]
    said += ["--no-path-style", "--timeout", "3s"]
    CliRunner().invoke(verb, ["s3://b", *said], catch_exceptions=False)
    CliRunner().invoke(verb, ["s3://b", "--path-style"], catch_exceptions=False)
    CliRunner().invoke(verb, ["s3://b"], catch_exceptions=False)
    first, second, plain = seen
    assert first.options().access == Access("http://x", "p", "r", path_style=False, timeout_s=3.0)
    assert first.arguments() == said
    assert second.arguments() == ["--path-style"]
    assert (plain.options().access, plain.arguments()) == (Access(), [])


@pytest.mark.parametrize("verb", ["check", "locks", "unlock", "plan", "repair", "publish", "open"])
def test_every_verb_that_takes_a_root_takes_them(say: Say, verb: str) -> None:
    _code, out, _err = say(verb, "--help", reach=())
    for option in ("--endpoint-url", "--profile", "--region", "--path-style", "--timeout"):
        assert option in out


def test_a_store_is_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of that very name is reached by its path."""
    monkeypatch.chdir(tmp_path)
    os.makedirs("s3:/bucket")
    with open_bench(b"s3://bucket") as bench:
        assert (bench.format_name, bench.tree, bench.holds_entries) == (
            "terraform-state",
            None,
            False,
        )
