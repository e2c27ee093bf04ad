"""Fixtures: a real S3 and DynamoDB server on loopback, and a server between us and it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import wire

from cachewright.model import Access

HERE = Path(__file__).parent
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class Aws:
    """The server, and clients of its own that put things there."""

    endpoint: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        import boto3  # only where a test needs it: it is slow to import
        from botocore.config import Config

        how: dict[str, Any] = {
            "endpoint_url": self.endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "config": Config(s3={"addressing_style": "path"}),
        }
        self.s3: Any = boto3.client("s3", **how)
        self.dynamodb: Any = boto3.client("dynamodb", **how)

    @property
    def access(self) -> Access:
        return Access(endpoint_url=self.endpoint, timeout_s=20.0)

    def bucket(self) -> str:
        name = f"tfstate-{next(self.numbers)}"
        self.s3.create_bucket(Bucket=name)
        return name

    def table(self, key: str = "LockID") -> str:
        name = f"tflocks-{next(self.numbers)}"
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def put(self, bucket: str, key: str, body: bytes, **how: Any) -> str:
        """Its ETag."""
        return str(self.s3.put_object(Bucket=bucket, Key=key, Body=body, **how)["ETag"])

    def body(self, bucket: str, key: str) -> bytes | None:
        try:
            answer = self.s3.get_object(Bucket=bucket, Key=key)
        except self.s3.exceptions.NoSuchKey:
            return None
        with answer["Body"] as stream:
            return bytes(stream.read())

    def keys(self, bucket: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return sorted(one["Key"] for one in found)

    def put_item(self, table: str, **item: str) -> None:
        spelled = {name: {"S": value} for name, value in item.items()}
        self.dynamodb.put_item(TableName=table, Item=spelled)

    def items(self, table: str) -> dict[str, dict[str, Any]]:
        found = self.dynamodb.scan(TableName=table)["Items"]
        return {one["LockID"]["S"]: one for one in found}

    def close(self) -> None:
        self.s3.close()
        self.dynamodb.close()


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Aws]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "serve_moto.py")],
        env={**os.environ, **CREDENTIALS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        words = process.stdout.readline().split()
        assert words[:1] == [b"ready"], "the server did not start"
        aws = Aws(f"http://127.0.0.1:{int(words[1])}")
        yield aws
        aws.close()
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Credentials in the environment, and nothing else of AWS from this computer."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    chosen = {
        **CREDENTIALS,
        "AWS_CONFIG_FILE": str(tmp_path / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws-credentials"),
    }
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    return chosen


@pytest.fixture
def aws(aws_server: Aws, credentials: dict[str, str]) -> Aws:
    """The server, with credentials for it in the environment."""
    del credentials
    return aws_server


@pytest.fixture
def between(aws: Aws) -> Iterator[wire.Wire]:
    """A server that passes everything on to the real one until it is told otherwise."""
    with wire.serving(aws.endpoint) as served:
        yield served
