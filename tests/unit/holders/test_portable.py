"""The survey without /proc: what psutil sees, and that it claims no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cachewright.holders import portable

if TYPE_CHECKING:
    from tests.unit.conftest import Starter


def test_open_mapped_and_working_directories_are_seen(tmp_path: Path, other: Starter) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 4096)
    code = """
f = open(sys.argv[1], 'r+'); r = open(sys.argv[1]); bare_mmap(sys.argv[1], True)
os.chdir(os.path.dirname(sys.argv[1])); ready()
"""
    one = other(code, file)
    device = file.stat().st_dev
    seen = portable.survey([os.fsencode(tmp_path)], frozenset({device}))
    (holder,) = seen.of((), os.fsencode(tmp_path))
    assert holder.pid == one.pid
    assert holder.how == ("cwd", "mmap:write", "open:read", "open:write")
    assert {holder.pid for holder in seen.of({(device, file.stat().st_ino)})} == {one.pid}
    mine = portable.survey([os.fsencode(tmp_path)], frozenset(), ours=frozenset({one.pid}))
    assert mine.of((), os.fsencode(tmp_path))[0].how == ("cwd", "mmap:write", "open:write")


def test_absence_is_never_claimed(tmp_path: Path) -> None:
    seen = portable.survey([os.fsencode(tmp_path)], frozenset())
    assert seen.holds == ()
    assert seen.hidden
    assert portable.kernel_locks() == ()


def test_a_process_is_described(other: Starter) -> None:
    one = other("ready()", "--password=hunter2")
    holder = portable.process(one.pid, ("open:read",))
    assert holder is not None
    assert "python" in holder.command
    assert "hunter2" not in holder.command
    one.end()
    assert portable.process(one.pid) is None


def test_everything_imports_where_there_is_neither_fcntl_nor_pwd(tmp_path: Path) -> None:
    code = """
import os, sys, psutil, threading, subprocess, numpy, humanize
sys.modules['fcntl'] = sys.modules['pwd'] = None
sys.platform = 'win32'
from cachewright import holders
from cachewright.locks import kernel
assert holders.survey.__module__ == 'cachewright.holders.portable'
fd = os.open(sys.argv[1], os.O_RDONLY)
print(holders.sole_opener(fd), holders.kernel_locks(), kernel.ask(fd))
"""
    file = tmp_path / "file"
    file.touch()
    said = subprocess.run([sys.executable, "-c", code, file], check=True, capture_output=True)
    assert said.stdout == b"None () None\n"
