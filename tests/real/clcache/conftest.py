"""The real clcache over a made-up compiler: it finds, stores, counts and cleans as ever."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.real.tools import environment

from cachewright.model import CheckResult, Outcome, Result
from cachewright.workbench import Options, Workbench

RUNNER = Path(__file__).parent / "on_windows.py"
COMPILER = """#!{python} -IS
import os, sys
source = sys.argv[-1]
content = open(source, "rb").read()
print(source)
for line in content.decode().splitlines():
    if line.startswith('#include "'):
        header = line.split('"')[1]
        print("Note: including file: " + header)
        content += open(header, "rb").read()
with open(source.rpartition(".")[0] + ".obj", "wb") as out:
    out.write(b"\\x64\\x86" + content * 40)
if b"#warning" in content:
    print("a warning", file=sys.stderr)
"""


@dataclass
class Clcache:
    """clcache, a project that it compiles, and the cache that it keeps."""

    top: Path
    python: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = self.top / "cache"
        self.project = self.top / "project"
        self.project.mkdir()
        compiler = self.top / "cl.exe"
        compiler.write_text(COMPILER.format(python=sys.executable))
        compiler.chmod(0o755)
        self.environment = {
            "PATH": os.environ["PATH"],
            "CLCACHE_DIR": str(self.cache),
            "CLCACHE_CL": str(compiler),
        }

    def source(self, name: str, header: str = "common.h", more: str = "") -> str:
        if not (self.project / header).exists():
            (self.project / header).write_text(f"/* {header} */\n")
        (self.project / name).write_text(f'#include "{header}"\n{more}int {name[:-4]}();\n')
        return name

    def run(self, *arguments: str, code: int = 0) -> str:
        """What it says on both channels; it must end with ``code``."""
        ended = subprocess.run(
            [self.python, RUNNER, *arguments],
            cwd=self.project,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended.stdout
        return ended.stdout

    def compile(self, *sources: str) -> str:
        return "".join(self.run("/c", "/W3", source) for source in sources)

    def kill_at(self, place: str, source: str) -> None:
        """Compile, and kill it where it is about to rename for the N-th time."""
        ours, theirs = os.pipe()
        process = subprocess.Popen(
            [self.python, RUNNER, "/c", "/W3", source],
            cwd=self.project,
            env={**self.environment, "STOP_AT": place, "STOP_FD": str(theirs)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs],
        )
        self.started.append(process)
        os.close(theirs)
        with open(ours, "rb") as said:
            assert said.readline() == b"stopped\n"
        process.kill()
        process.wait()

    def close(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()

    def counters(self) -> dict[str, int]:
        """What ``clcache -s`` says, by its words."""
        lines = re.findall(r"^\s*([a-z/ .]+?)\s*: ([\d,]+)", self.run("-s"), re.MULTILINE)
        return {name: int(value.replace(",", "")) for name, value in lines}

    def objects(self) -> list[Path]:
        return sorted(self.cache.glob("objects/??/*/object"))

    def on_disk(self) -> tuple[int, int]:
        sizes = [path.stat().st_size for path in self.objects() if path.parent.suffix != ".new"]
        return len(sizes), sum(sizes)

    def counted(self) -> tuple[int, int]:
        record = json.loads((self.cache / "stats.txt").read_text())
        return record["CacheEntries"], record["CacheSize"]

    def snapshot(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.cache)): path.read_bytes() if path.is_file() else b""
            for path in sorted(self.cache.rglob("*"))
        }

    def age(self) -> None:
        """Everything as old as residue of a run that ended two days ago."""
        for path in (*self.cache.rglob("*"), self.cache):
            found = path.stat()
            old = found.st_mtime_ns - 48 * 3600 * 1_000_000_000
            os.utime(path, ns=(old, old))

    def check(self) -> CheckResult:
        with self.bench() as bench:
            return bench.check()

    def repair(self, **how: Any) -> tuple[Outcome, ...]:
        with self.bench() as bench:
            bench.check()
            outcomes = bench.repair(bench.plan(**how), apply=True)
        assert {one.result for one in outcomes} <= {Result.DONE}, outcomes
        return outcomes

    def bench(self) -> Workbench:
        options = Options(floor_s=0, observe_s=0, settle_s=0, environment={})
        return Workbench.open(os.fsencode(self.cache), options=options)


@pytest.fixture
def clcache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clcache]:
    monkeypatch.setenv("CACHEWRIGHT_STATE_DIR", str(tmp_path / "state"))
    made = Clcache(tmp_path, environment("clcache") / "python")
    yield made
    made.close()
