"""A real boto3 downloads an object in parts, by several threads, into a hand-over folder.

The parts come when the test lets them: the last one first, so that the file has its final size
while most of it is missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from wire import Asked, Reply

from cachewright.model import CheckResult, EntryReport, EntryVerdict, FindingKind
from cachewright.workbench import Options, Workbench

MIB = 1 << 20
PARTS = 6
SIZE = PARTS * MIB - 12345
CONTENT = random.Random(4).randbytes(SIZE)  # noqa: S311 - the same in every run
DIGEST = hashlib.sha256(CONTENT).hexdigest()
QUICK: Mapping[str, Any] = {"floor_s": 0.0, "observe_s": 0.1, "settle_s": 0.2, "environment": {}}
NAME = "data.bin"

DOWNLOAD = """
import sys
import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
endpoint, bucket, place, way = sys.argv[1:]
client = boto3.client(
    "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test",
    aws_secret_access_key="test",
    config=Config(s3={"addressing_style": "path"}, read_timeout=60, retries={"max_attempts": 1}),
)
parts = TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=1 << 20, max_concurrency=6)
if way == "by name":
    client.download_file(bucket, "data.bin", place, Config=parts)
elif way == "by several processes":
    from s3transfer.processpool import ProcessPoolDownloader, ProcessTransferConfig
    several = ProcessTransferConfig(
        multipart_threshold=1 << 20, multipart_chunksize=1 << 20, max_request_processes=6
    )
    where = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    with ProcessPoolDownloader(client_kwargs=where, config=several) as pool:
        pool.download_file(bucket, "data.bin", place).result()
else:
    with open(place, "wb") as file:
        client.download_fileobj(bucket, "data.bin", file, Config=parts)
"""
WAYS = ["by name", "into an open file"]
"""boto3 gives the first a random ending until it is done; the second has its name at once."""
SEVERAL = "by several processes"
"""The room is reserved before the first byte comes, and each part opens the file anew."""


@dataclass
class Delivery:
    """A download under way, whose parts come one by one."""

    folder: Path
    process: subprocess.Popen[bytes]
    gates: list[threading.Event]
    asked: list[threading.Event]

    def deliver(self, part: int) -> None:
        """Let a part go, and wait until all of it is in the file."""
        assert self.asked[part].wait(20), "boto3 never asked for this part"
        self.gates[part].set()
        wanted = CONTENT[part * MIB : (part + 1) * MIB]
        self.until(lambda: self._holds(part, wanted))

    def _holds(self, part: int, wanted: bytes) -> bool:
        for place in self.files():
            with place.open("rb") as file:
                file.seek(part * MIB)
                if file.read(MIB) == wanted:
                    return True
        return False

    def files(self) -> list[Path]:
        return [one for one in self.folder.glob(f"{NAME}*") if one.suffix != ".sha256"]

    def file(self) -> Path:
        (place,) = self.files()
        return place

    def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not happened():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.02)

    def finish(self) -> None:
        for one in self.gates:
            one.set()
        assert self.process.wait(60) == 0

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder, with the sidecar that was delivered first."""
    place = tmp_path / "inbox"
    place.mkdir()
    (place / f"{NAME}.sha256").write_text(f"{DIGEST}  {NAME}\n")
    return place


@pytest.fixture
def begin(folder: Path, aws: Any, between: Any) -> Iterator[Callable[[str], Delivery]]:
    started: list[Delivery] = []

    def start(way: str) -> Delivery:
        bucket = aws.bucket()
        aws.put(bucket, NAME, CONTENT)
        gates = [threading.Event() for _part in range(PARTS)]
        asked = [threading.Event() for _part in range(PARTS)]

        def rule(request: Asked) -> Reply | None:
            span = request.headers.get("range", "")
            if request.method == "GET" and span.startswith("bytes="):
                part = int(span[6:].partition("-")[0]) // MIB
                asked[part].set()
                gates[part].wait(60)
            if request.method == "HEAD":  # the server between drops the length of no body
                answer = between.forward(request)
                return replace(answer, headers={**answer.headers, "Content-Length": str(SIZE)})
            return None

        between.rule = rule
        command = [sys.executable, "-c", DOWNLOAD, between.endpoint, bucket, folder / NAME, way]
        started.append(
            Delivery(folder, subprocess.Popen(command, start_new_session=True), gates, asked)
        )
        return started[-1]

    yield start
    for one in started:
        one.kill()
        for gate in one.gates:
            gate.set()


def check(folder: Path) -> CheckResult:
    options = Options(**QUICK)
    with Workbench.open(os.fsencode(folder), format_name="handoff", options=options) as bench:
        return bench.check()


def only(result: CheckResult) -> EntryReport:
    (entry,) = result.entries
    return entry


@dataclass
class Naive:
    """A watcher that takes a file for finished once it has the size that was announced, and
    that did not change between two looks."""

    folder: Path
    handed_on: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        for place in self.folder.iterdir():
            size = place.stat().st_size
            if size == SIZE and self.sizes.get(place.name) == size:
                self.handed_on.setdefault(place.name, place.read_bytes())
            self.sizes[place.name] = size


@pytest.mark.parametrize("way", WAYS)
def test_busy_at_every_look_until_it_is_done_and_ok_then(
    begin: Callable[[str], Delivery], folder: Path, way: str
) -> None:
    delivery, naive, missing = begin(way), Naive(folder), SIZE
    for number, part in enumerate([PARTS - 1, 2, 0, 4, 1], 1):
        delivery.deliver(part)
        naive.look()
        # Its size is final from the first part on, and says nothing.
        assert delivery.file().stat().st_size == SIZE
        result = check(folder)
        entry = only(result)
        assert entry.verdict is EntryVerdict.BUSY, f"after {number} of {PARTS} parts"
        assert [one.pid for one in entry.holders if one.writes] == [delivery.process.pid]
        assert entry.title == NAME
        assert "Its size was not believed" in entry.why
        missing -= len(CONTENT[part * MIB : (part + 1) * MIB])
        assert f"({missing:,} bytes) were never written" in entry.why
        assert result.problems == ()
        assert [one.kind for one in result.findings] == [FindingKind.BUSY_ENTRY]
    delivery.finish()
    entry = only(check(folder))
    assert (entry.name, entry.verdict) == (NAME, EntryVerdict.OK)
    assert (folder / NAME).read_bytes() == CONTENT
    # Who believed the size handed on something else, under whatever name it had then.
    ((_name, taken),) = naive.handed_on.items()
    assert len(taken) == SIZE
    assert hashlib.sha256(taken).hexdigest() != DIGEST


@pytest.mark.parametrize("way", [*WAYS, SEVERAL])
def test_killed_on_its_way_it_is_incomplete_and_the_missing_ranges_are_told(
    begin: Callable[[str], Delivery], folder: Path, way: str
) -> None:
    delivery = begin(way)
    for part in (PARTS - 1, 2, 0):
        delivery.deliver(part)
    delivery.kill()
    place = delivery.file()
    assert place.stat().st_size == SIZE
    result = check(folder)
    entry = only(result)
    assert entry.verdict is EntryVerdict.INCOMPLETE
    (finding,) = result.problems
    assert finding.kind is FindingKind.INCOMPLETE_ENTRY
    assert "nobody" in finding.explanation
    assert (
        "3.1 MB (3,145,728 bytes) were never written: "
        "bytes 1,048,576 to 2,097,151, 3,145,728 to 5,242,879." in finding.explanation
    )
    assert "Its size was not believed" in finding.explanation
    if way != "into an open file":
        assert "a name that boto3 or the AWS command line gives" in finding.explanation
    # Having read it changes nothing of what is known.
    assert only(check(folder)).why == entry.why


@pytest.mark.parametrize("way", WAYS)
def test_no_look_at_any_moment_is_wrong(
    begin: Callable[[str], Delivery], folder: Path, way: str
) -> None:
    """Parts come by themselves; the looks come whenever they can, also at the last moment, when
    the file is closed and gets its name."""
    delivery = begin(way)

    def go_on() -> None:
        for gate in reversed(delivery.gates):
            gate.set()
            time.sleep(0.4)  # a slow network, not something that is waited for

    thread = threading.Thread(target=go_on)
    thread.start()
    seen: list[EntryVerdict] = []
    while delivery.process.poll() is None:
        seen += [one.verdict for one in check(folder).entries]
    thread.join()
    assert set(seen) <= {EntryVerdict.BUSY, EntryVerdict.OK}
    assert EntryVerdict.BUSY in seen
    assert seen == sorted(seen, key=lambda one: one is EntryVerdict.OK), "ok came too early"
    assert only(check(folder)).verdict is EntryVerdict.OK
