"""Backend settings: where state is kept, said without a word of what must stay secret."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cachewright.formats.terraform_backend import LOCAL, Backend, Unreadable, read_backend
from cachewright.formats.terraform_backends import SENTENCES
from cachewright.storage.anchored import Directory
from cachewright.text import display

NAME = b"terraform.tfstate"
SECRET = "hunter2-do-not-show"


def read(folder: Path) -> Backend:
    with Directory.open(os.fsencode(folder)) as opened:
        return read_backend(opened, NAME)


def backend(folder: Path, kind: object, config: object) -> Backend:
    document = {"version": 3, "backend": {"type": kind, "config": config, "hash": 7}}
    (folder / os.fsdecode(NAME)).write_text(json.dumps(document))
    return read(folder)


def test_without_settings_state_is_local(tmp_path: Path) -> None:
    assert read(tmp_path) == LOCAL
    (tmp_path / os.fsdecode(NAME)).write_text('{"version": 4, "serial": 1}')
    assert read(tmp_path) == LOCAL
    assert backend(tmp_path, "local", None) == LOCAL
    assert backend(tmp_path, "local", {"path": None, "workspace_dir": ""}) == LOCAL


def test_the_local_backends_paths(tmp_path: Path) -> None:
    found = backend(tmp_path, "local", {"path": "a/b.tfstate", "workspace_dir": "w"})
    assert found == Backend(b"a/b.tfstate", b"w")
    for odd in (7, ["x"], "a\0b", "\ud800"):
        assert backend(tmp_path, "local", {"path": odd}) == LOCAL


def test_state_in_a_bucket_says_how_to_look_there(tmp_path: Path) -> None:
    found = backend(tmp_path, "s3", {"bucket": "my-bucket", "key": "prod/terraform.tfstate"})
    assert (found.state, found.workspaces) == (None, None)
    assert found.elsewhere == (
        "This project keeps its state in s3://my-bucket/prod/terraform.tfstate; "
        "look at its locks with: cachewright locks s3://my-bucket/prod/terraform.tfstate; "
        "at those of its workspaces with: cachewright locks s3://my-bucket/env:/"
    )


def test_a_table_a_prefix_and_an_endpoint_are_told_of(tmp_path: Path) -> None:
    config = {
        "bucket": "my-bucket",
        "key": "a key/it's",
        "dynamodb_table": "locks",
        "workspace_key_prefix": "spaces",
        "endpoints": {"s3": f"http://me:{SECRET}@localhost:1"},
    }
    said = backend(tmp_path, "s3", config).elsewhere
    assert SECRET not in said
    assert "localhost" not in said
    assert """cachewright locks 's3://my-bucket/a key/it'"'"'s' --endpoint-url URL;""" in said
    assert "cachewright locks s3://my-bucket/spaces/ --endpoint-url URL;" in said
    assert "cachewright locks dynamodb://locks --endpoint-url URL;" in said
    assert said.endswith("URL is the endpoint that its backend settings name")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"bucket": "b"},
        {"bucket": "b b", "key": "k"},
        {"bucket": 7, "key": "k"},
        {"bucket": "bucket", "key": "\x1b[31m"},
        {"bucket": "bucket", "key": "k" * 2000},
        {"bucket": "bucket\n", "key": "k"},
        {"bucket": "bucket", "key": ["k"]},
    ],
)
def test_names_that_cannot_stand_in_a_command_are_not_put_there(
    config: Mapping[str, Any], tmp_path: Path
) -> None:
    said = backend(tmp_path, "s3", config).elsewhere
    assert said.endswith("cachewright locks s3://BUCKET/KEY")
    assert display(said) == said


def test_odd_tables_and_prefixes_are_left_out(tmp_path: Path) -> None:
    config = {
        "bucket": "bucket",
        "key": "k",
        "dynamodb_table": "; rm",
        "workspace_key_prefix": "\n",
    }
    assert backend(tmp_path, "s3", config).elsewhere == (
        "This project keeps its state in s3://bucket/k; look at its locks with: cachewright locks "
        "s3://bucket/k"
    )


SECRETS = dict.fromkeys((
    "access_key", "secret_key", "token", "password", "conn_str", "address", "username",
    "credentials", "access_token", "client_secret", "sas_token", "encryption_key", "profile",
    "kms_key_id", "sse_customer_key", "role_arn", "external_id", "shared_credentials_file",
    "region", "storage_account_name", "resource_group_name", "host", "path", "prefix",
    "secret_suffix", "namespace", "organization", "lock_address", "unlock_address",
), SECRET)  # fmt: skip


@pytest.mark.parametrize("kind", [*SENTENCES, "s3", "etcdv9"])
def test_no_secret_ever_leaves_the_settings(kind: str, tmp_path: Path) -> None:
    config = {**SECRETS, "assume_role": dict(SECRETS), "workspaces": [SECRETS]}
    if kind == "s3":
        config |= {"bucket": "bucket", "key": "key", "dynamodb_table": "table"}
    found = backend(tmp_path, kind, config)
    assert found.elsewhere
    assert SECRET not in repr(found)


@pytest.mark.parametrize("kind", SENTENCES)
def test_each_other_backend_says_what_its_lock_is_and_that_it_is_not_supported(
    kind: str, tmp_path: Path
) -> None:
    found = backend(tmp_path, kind, {})
    assert (found.state, found.workspaces) == (None, None)
    assert found.elsewhere == f"This project keeps its state elsewhere. {SENTENCES[kind]}"
    assert found.elsewhere.endswith("Cachewright does not support it yet.")
    assert "Terraform" not in found.elsewhere  # OpenTofu has the same backends


def test_the_backends_that_the_manual_promises_to_name() -> None:
    assert set(SENTENCES) == {
        "gcs", "azurerm", "consul", "pg", "kubernetes", "http", "cos", "oss", "remote", "cloud",
    }  # fmt: skip


def test_a_backend_that_nobody_knows_is_named_safely_and_shortly(tmp_path: Path) -> None:
    said = backend(tmp_path, "x\x1b[31m" + "y" * 1000, {}).elsewhere
    assert "does not know" in said
    assert len(said) < 250
    assert display(said) == said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"not json hunter2-do-not-show", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"backend": null, "backend": {"type": "gcs"}}', "say one thing twice"),
        (b'{"backend": 7}', "name no backend"),
        (b'{"backend": {"type": 7}}', "name no backend"),
        (b'{"backend": {}}', "name no backend"),
        (b" " * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_settings_that_cannot_be_read_say_why_without_quoting(
    content: bytes, why: str, tmp_path: Path
) -> None:
    (tmp_path / os.fsdecode(NAME)).write_bytes(content)
    with pytest.raises(Unreadable, match=why) as refused:
        read(tmp_path)
    assert SECRET not in str(refused.value)


def test_settings_that_are_no_file_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(NAME)
    os.mkfifo(path)
    with pytest.raises(Unreadable, match="no regular file"):
        read(tmp_path)
    path.unlink()
    (tmp_path / "outside").write_text('{"backend": {"type": "gcs"}}')
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(Unreadable, match="no regular file"):
        read(tmp_path)


def test_settings_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Directory, "read", refuse)
    with pytest.raises(Unreadable, match="Permission denied"):
        read(tmp_path)
