"""Identity, user and command line of real processes."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from cachewright import holders
from cachewright.holders.processes import Process, Stat, boot_id, pid_namespace

if TYPE_CHECKING:
    from tests.unit.conftest import Starter

NAMES = ["plain", "a) S 1 (b", ")", "((", "x y\tz", "R 0 0 0)"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_cannot_forge_the_start_time(name: str, other: Starter) -> None:
    one = other("open('/proc/self/comm', 'w').write(sys.argv[1]); ready()", name)
    with Process(one.pid) as process:
        stat = process.stat()
    assert stat.name == name.encode()
    assert stat.state in {"S", "R"}
    assert not stat.kernel_thread
    tick = os.sysconf("SC_CLK_TCK")
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    assert 0 <= uptime - stat.start_ticks / tick < 100


def test_a_process_is_described(other: Starter) -> None:
    one = other("ready()", "--token=hunter2")
    holder = holders.process(one.pid, ("open:read",))
    assert holder is not None
    assert holder.user == pwd.getpwuid(os.geteuid()).pw_name
    assert holder.how == ("open:read",)
    assert "python" in holder.command
    assert "hunter2" not in holder.command
    assert abs(holder.started_ns / 1e9 - psutil.Process(one.pid).create_time()) < 2
    assert holder.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    assert holder.pid_namespace == Path("/proc/self/ns/pid").stat().st_ino
    assert holder.key == (boot_id(), pid_namespace(), one.pid, holder.start_ticks)


def test_who_took_over_a_pid_is_somebody_else(other: Starter) -> None:
    one, two = other("ready()"), other("ready()")
    first, second = holders.process(one.pid), holders.process(two.pid)
    assert first is not None
    assert second is not None
    assert first.start_ticks <= second.start_ticks
    again = holders.process(one.pid)
    assert again is not None
    assert again.key == first.key


def test_a_user_without_a_name_is_a_number(only_root: None) -> None:
    del only_root
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=54321) as one:
        holder = holders.process(one.pid)
        assert holder is not None
        assert holder.user == "54321"
        one.communicate()


def test_an_ended_process_is_nobody(other: Starter) -> None:
    one = other("ready()")
    with Process(one.pid) as process:
        one.end()
        with pytest.raises((FileNotFoundError, ProcessLookupError)):
            process.stat()
    assert holders.process(one.pid) is None


def test_kernel_threads_are_told_apart() -> None:
    line = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 3 0 0 20 0 1 0 7 0 0"
    assert Stat.parse(line).kernel_thread
    assert Stat.parse(line).start_ticks == 7
    assert not Stat.parse(line.replace(b"2129984", b"4194560")).kernel_thread
