"""The quick version of the part on code in caches, and what core does not even import."""

from __future__ import annotations

import ast
import os
import shutil
from pathlib import Path

import pytest
from tests.counts import Row, fails, table
from tests.hostile import foreign_code

import cachewright

FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "yaml", "runpy", "code", "imp", "xml"}
CALLS = {"eval", "exec", "compile", "__import__"}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(foreign_code.run(True))


def test_no_code_of_a_cache_is_run(rows: list[Row]) -> None:
    assert not fails(rows), "\n" + table(rows)


def test_the_calls_are_watched_where_the_kernel_allows_it(rows: list[Row]) -> None:
    if os.environ.get("CI"):
        assert shutil.which("strace"), "strace is missing"
    if not foreign_code.watching():
        pytest.skip("the kernel or the container refuses to let calls be watched")
    assert all("calls watched" in row.note for row in rows)


def test_what_loads_code_is_seen_in_the_calls(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    log.write_text(
        '1 execve("/usr/bin/python3", ["x"], 0x1) = 0\n'
        '1 execve("/c/git", ["git"], 0x1) = 0\n1 execve("git", ["git"], 0x1) = -1 ENOENT\n'
        '1 openat(AT_FDCWD, "/c/click.py", O_RDONLY|O_CLOEXEC) = 3\n'
        '1 openat(5, "click.py", O_RDONLY|O_NOFOLLOW) = 3\n1 open("/c/x/evil.pth", O_RDONLY) = 3\n'
    )
    found = foreign_code.loaded(log, b"/c")
    assert found == ["executed /c/git", "opened /c/click.py", "opened /c/x/evil.pth"]


def test_core_has_nothing_that_could_run_what_it_reads() -> None:
    (top,) = cachewright.__path__
    for path in Path(top).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            bad = FORBIDDEN.intersection(one.partition(".")[0] for one in names)
            assert not bad, f"{path.name} imports {bad}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in CALLS, f"{path.name} calls {node.func.id}"
