"""A whole cache made to do harm: it is looked at to its end, and what is good in it stays good."""

from __future__ import annotations

import os
from pathlib import Path

import msgpack
from tests.unit.formats.uv_making import ID, OTHER_ID, MadeUv, archive_value, newer

from cachewright.model import EntryVerdict as Verdict
from cachewright.model import FindingKind
from cachewright.workbench import Options, Workbench

NESTED = 300


def hostile(made: MadeUv) -> None:
    wheels = made.cache / "wheels-v7" / "pypi" / "toy"
    os.mkfifo(wheels / "2.0-py3-none-any.http")
    os.mkfifo(made.cache / "archive-v0" / "PipeInsteadOfOne")
    os.mkfifo(made.cache / ".tmpABCDEF")
    (wheels / "loop1-1").symlink_to("loop2-1")
    (wheels / "loop2-1").symlink_to("loop1-1")
    (made.cache / "wheels-v9").symlink_to("/")
    (made.cache / "archive-v1").symlink_to("/etc")
    (wheels / "new\nline-1.0.http").write_bytes(newer(msgpack.packb(archive_value(ID))))
    (wheels / "escape\x1b-1").symlink_to("x\n\x1b[31m")
    (made.cache / "archive-v0" / "<b>bold").mkdir()
    os.mkdir(os.fsencode(made.cache) + b"/archive-v0/\xff\xfeABCDEFGHIJ")
    made.unpacked(
        files={"<img>-1.0.dist-info/RECORD": b"../../../../etc/passwd,,\n"}, archive=16 * "I"
    )
    made.unpacked(files={"a-1.0.dist-info/RECORD": b'"' * 100_001}, archive="Q" * 16)
    deep = made.cache / "archive-v0" / ("D" * 16)
    deep.mkdir()
    at = os.open(deep, os.O_RDONLY)
    for _level in range(NESTED):
        os.mkdir("d" * 100, dir_fd=at)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def test_it_is_looked_at_to_its_end(tmp_path: Path) -> None:
    made = MadeUv(tmp_path)
    made.whole()
    made.whole("other", OTHER_ID)
    hostile(made)
    options = Options(settle_s=0, observe_s=0, jobs=1, environment={})
    with Workbench.open(os.fsencode(made.cache), options=options) as bench:
        result = bench.check()
    verdicts = {one.name: one.verdict for one in result.entries}
    assert verdicts.pop(f"toy-1.0/{ID}") is Verdict.OK
    assert verdicts.pop(f"other-1.0/{OTHER_ID}") is Verdict.OK
    assert Verdict.OK not in verdicts.values()
    assert len(verdicts) == 3
    kinds = {one.kind for one in result.findings}
    assert {FindingKind.FOREIGN_TYPE, FindingKind.POINTER_MISMATCH} <= kinds
    told = "".join(one.subject + one.explanation for one in result.findings)
    assert told.isprintable()
    assert result.gaps == ()
