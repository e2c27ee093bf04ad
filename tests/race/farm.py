"""A farm of real processes that live, hold things and die as they are told; run as a script.

It reads one JSON request per line and answers with one JSON line, once what was asked for is so:

``{"do": "spawn", "role": ["open", PATH], "uid": 0, "pid": 0}``
    A new process with that role; with ``pid`` (only in a pid namespace of the farm's own) the
    very process number.  Answers ``{"pid", "start", "holder"}`` as they are seen from the farm:
    the process that was started, and the one that holds things in the end.
``{"do": "end", "pid": N}``  kills it for good: it is reaped before the answer.
``{"do": "zombie", "pid": N}``  kills it and leaves it unreaped.
``{"do": "who"}``  what records say of every process here: machine, boot, pid namespace.

Standard library only, so that it starts quickly; every process dies with the farm.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
KEPT: list[object] = []
"""What a role holds: closed by the process's end only."""
INPUTS: dict[int, int] = {}
"""The other ends of programs' inputs, by process."""
EXIT: dict[str, int] = {"x86_64": 60, "aarch64": 93}
"""exit(2), which ends one thread and not its process."""


def identity(pid: int | str = "self") -> tuple[str, int]:
    """State and start of a process, in ticks since boot."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return fields[0].decode(), int(fields[19])


def who() -> dict[str, Any]:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            machine = file.read().strip()
    except OSError:
        machine = ""
    return {"machine": machine, "boot": boot, "pidns": os.stat("/proc/self/ns/pid").st_ino}


def opened(path: str, flags: int = os.O_RDONLY) -> int:
    fd = os.open(path, flags)
    KEPT.append(fd)
    return fd


def mapped(path: str) -> None:
    """Map it and close it: Python's own mmap would keep the descriptor."""
    LIBC.mmap.restype = ctypes.c_void_p
    LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    fd = os.open(path, os.O_RDONLY)
    at = LIBC.mmap(None, 4096, 1, 2, fd, 0)
    assert at not in (None, ctypes.c_void_p(-1).value), ctypes.get_errno()
    os.close(fd)


def record_locked(path: str, command: int) -> None:
    request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(opened(path, os.O_RDWR), command, request)


def locked(kind: str, path: str) -> None:
    if kind == "flock":
        fcntl.flock(opened(path), fcntl.LOCK_EX)
    else:
        record_locked(path, fcntl.F_SETLK if kind == "posix" else fcntl.F_OFD_SETLK)


def root(path: str) -> None:
    """Only its root directory is there: it stands elsewhere, and has nothing open."""
    elsewhere = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.chroot(path)
    os.fchdir(elsewhere)
    os.close(elsewhere)


def running(path: str) -> None:
    """Become the program, which says ``ready`` itself and then waits for the end of input."""
    os.dup2(READY[1], 1)
    os.dup2(FOREVER, 0)
    os.execv(path, [path])  # noqa: S606 - there is no shell


ROLES: dict[str, Callable[..., None]] = {
    "idle": lambda: None,
    "open": opened,
    "write": lambda path: opened(path, os.O_RDWR) and None,
    "map": mapped,
    "cwd": os.chdir,
    "root": root,
    "run": running,
    "flock": lambda path: locked("flock", path),
    "posix": lambda path: locked("posix", path),
    "ofd": lambda path: locked("ofd", path),
}

READY: tuple[int, int] = (-1, -1)
FOREVER = -1


def die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def live(role: list[str], uid: int, farm: int) -> None:
    """The life of one process; never returns."""
    name, *arguments = role
    if name == "inherit":
        ROLES[arguments[0]](*arguments[1:])
        if os.fork():
            os._exit(0)  # its child keeps what it locked
        while os.getppid() != farm:
            time.sleep(0.001)
    else:
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        die_with_parent()
        if name == "threads":
            headless(*arguments)
        elif name != "stop":
            ROLES[name](*arguments)
    die_with_parent()
    os.write(READY[1], b"%d\n" % os.getpid())
    if name == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        signal.pause()


def headless(path: str = "/") -> None:
    """End the main thread: it shows as a zombie, and another thread goes on."""
    opened(path)

    def go_on() -> None:
        while identity()[0] != "Z":
            time.sleep(0.001)
        os.write(READY[1], b"%d\n" % os.getpid())
        while True:
            time.sleep(3600)

    threading.Thread(target=go_on).start()
    LIBC.syscall(EXIT[os.uname().machine], 0)


def spawn(request: dict[str, Any]) -> dict[str, Any]:
    global READY, FOREVER
    if request.get("pid"):
        time.sleep(1.1 / os.sysconf("SC_CLK_TCK"))  # else it may be born in the tick of the former
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
            last.write(str(request["pid"] - 1))
    farm, READY, (FOREVER, open_end) = os.getpid(), os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(READY[0])
            live(request["role"], request.get("uid", 0), farm)
        finally:
            os._exit(1)
    start = identity(pid)[1]
    os.close(READY[1])
    os.close(FOREVER)
    INPUTS[pid] = open_end
    said = b""
    while not said.endswith(b"\n") and (part := os.read(READY[0], 64)):
        said += part
    os.close(READY[0])
    if said == b"":
        raise OSError("the process failed")
    holder = int(said) if said.strip().isdigit() else pid
    if holder != pid:
        os.waitpid(pid, 0)
        os.close(INPUTS.pop(pid))
    if request["role"][0] == "stop":
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    return {"pid": pid, "start": start, "holder": holder}


def end(request: dict[str, Any]) -> dict[str, Any]:
    os.kill(request["pid"], signal.SIGKILL)
    if request["do"] == "end":
        os.waitpid(request["pid"], 0)
        if request["pid"] in INPUTS:
            os.close(INPUTS.pop(request["pid"]))
    else:
        os.waitid(os.P_PID, request["pid"], os.WEXITED | os.WNOWAIT)
    return {}


DEEDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "spawn": spawn,
    "end": end,
    "zombie": end,
    "who": lambda _request: who(),
}


def main() -> None:
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = DEEDS[request["do"]](request)
        except OSError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
