"""Looking for the process that has a recorded pid, in the pid namespace that is recorded with it.

Whatever is read of a process is read through descriptors that go dead with it (a pidfd and its
``/proc`` directory), so that a number that is given anew never mixes two processes.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from cachewright.holders.pins import has_ended
from cachewright.holders.processes import GONE, Process, boot_id, pid_namespace, pids
from cachewright.holders.visibility import hidden
from cachewright.model import Claim, Holder

_MACHINE: Final = re.compile(r"[0-9a-f]{32}")
_OWNER: Final = ("owner",)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of the process with a recorded pid.

    ``runs``: whether any process has the pid, in the namespace that the record names (in ours
    where it names none); None where that cannot be told, for the reason ``why``.  ``holder`` is
    that process, None also where it runs and may not be looked at.  With a ``holder``, a ``why``
    says why its start time cannot be compared with a recorded one that differs.
    """

    runs: bool | None
    holder: Holder | None = None
    why: str = ""


class Machine(Protocol):
    """What a record's owner is looked for on: this computer, or what stands for it in a test.

    ``boot_id`` and ``machine_id`` are empty where they are not known, ``pid_namespace`` is 0
    then.  ``sees_all``: we are in the first pid namespace and no process is hidden from us.
    """

    @property
    def boot_id(self) -> str: ...

    @property
    def machine_id(self) -> str: ...

    @property
    def pid_namespace(self) -> int: ...

    @property
    def sees_all(self) -> bool: ...

    def find(self, claim: Claim) -> Sighting:
        """Look for the process by the claim's pid and pid namespace; its ``start_ticks`` only
        help where a process may not be asked for its namespace.  A claim with another boot id
        that names no namespace is sought in those below ours alone.  Never raises."""


class ThisMachine:
    """The computer that we run on, as it is whenever it is asked."""

    @property
    def boot_id(self) -> str:
        return boot_id()

    @property
    def machine_id(self) -> str:
        return _machine_id()

    @property
    def pid_namespace(self) -> int:
        return pid_namespace()

    @property
    def sees_all(self) -> bool:
        return not hidden()

    def find(self, claim: Claim) -> Sighting:
        try:
            if not _numbers_are_ours():
                return Sighting(None, why="The processes that show here are another container's.")
            if claim.pid and self._meant(claim) == self.pid_namespace:
                return _here(claim.pid)
            if not self.sees_all:
                why = "It may have been made in a container whose processes do not show here."
                return Sighting(None, why=why)
            return _inside(claim)
        except OSError as error:
            return Sighting(None, why=f"The processes could not be looked at: {error.strerror}.")

    def _meant(self, claim: Claim) -> int:
        """The namespace that the claim means; 0 for any below ours.  Whoever is in ours reads
        our boot id; a container may show another one."""
        if claim.pid_namespace:
            return claim.pid_namespace
        told = claim.boot_id.strip().lower()
        return self.pid_namespace if told in {"", self.boot_id} else 0


THIS_MACHINE: Final = ThisMachine()


@cache
def _machine_id() -> str:
    """The installation's id; empty where it has none (reliability.md E5)."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            text = file.read(64).strip().lower()
    except (OSError, ValueError):
        return ""
    return text if _MACHINE.fullmatch(text) else ""


def _numbers_are_ours() -> bool:
    """Whether ``/proc`` counts processes as we do; a mount from outside a container does not."""
    return os.readlink("/proc/self") == str(os.getpid())


def _here(pid: int) -> Sighting:
    """The process that has this pid in our own namespace."""
    try:
        pin = os.pidfd_open(pid)
    except ProcessLookupError:
        return Sighting(False)
    except OSError:
        return _read(pid)  # a thread has the number, or pidfds are not to be had
    try:
        seen = _read(pid)
        # While the pidfd lives, its number was not given to another.
        return Sighting(False) if has_ended(pin) else Sighting(True, seen.holder, seen.why)
    finally:
        os.close(pin)


def _read(pid: int) -> Sighting:
    try:
        with Process(pid) as process:
            return _look(process)
    except GONE:
        why = hidden()
        return Sighting(None, why=why) if why else Sighting(False)
    except OSError:
        return Sighting(True)  # it exists, and is not ours to look at: alive


def _look(process: Process) -> Sighting:
    stat = process.stat()
    if stat.zombie and stat.threads <= 1:
        return Sighting(False)  # it has ended and holds nothing; only its parent has to hear it
    return Sighting(True, process.holder(_OWNER), _other_clock(process))


def _other_clock(process: Process) -> str:
    """Why its start time, as it reads it itself, may differ from ours; empty where it cannot.

    In a time namespace the kernel adds that namespace's offset to every start time.
    """
    try:
        with open("/proc/self/timens_offsets", "rb") as file:
            ours = file.read()
    except FileNotFoundError:
        return ""  # this kernel has no time namespaces
    if process.read("timens_offsets") == ours:
        return ""
    return f"Process {process.pid} runs by another clock, so when it started proves nothing."


def _inside(claim: Claim) -> Sighting:
    """The process that has the claim's pid in a namespace below ours, sought among all: in the
    namespace that the claim names, or in any where it names none (any process without a pid).
    """
    unsure = ""
    for pid in pids():
        try:
            with Process(pid) as process:
                if not _inner_pid_is(process, claim.pid):
                    continue
                seen = _look(process)
                inode = _namespace(process) if claim.pid_namespace else None
        except GONE:
            continue
        except OSError:
            unsure = f"Process {pid} could not be looked at, and may be its owner."
            continue
        if seen.holder is None or inode not in {None, claim.pid_namespace}:
            continue
        same_start = seen.holder.start_ticks == claim.start_ticks
        if claim.pid and (inode is not None or same_start):
            return seen
        if seen.why or not (claim.pid and claim.start_ticks):
            unsure = seen.why or f"Process {pid} runs in a container, and may be its owner."
    return Sighting(None, why=unsure) if unsure else Sighting(False)


def _inner_pid_is(process: Process, pid: int) -> bool:
    """Whether it is in a namespace below ours and has this pid there (any, for 0)."""
    for line in process.read("status").splitlines():
        if line.startswith(b"NSpid:"):
            numbers = line.split()[1:]
            return len(numbers) > 1 and pid in {0, int(numbers[-1])}
    return False


def _namespace(process: Process) -> int | None:
    """The inode of its pid namespace; None where it may not be asked."""
    try:
        return os.stat("ns/pid", dir_fd=process.fd).st_ino
    except PermissionError:
        return None
