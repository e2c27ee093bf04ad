"""The real command in a process of its own that may have 64 descriptors, watched from outside."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.counts import Row

PART: Final = "limits"
DESCRIPTORS: Final = 64
_libc: Final = ctypes.CDLL(None)
_DROP: Final = 24
_PASSES_BY: Final = (1, 2)
"""PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: by these root reads everything."""
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a file system where fsync costs nothing
_LOOK_S: Final = 0.01
_CRASHED: Final = (b"Traceback", b"RecursionError", b"Something unexpected", b"Too many open")


@dataclass(frozen=True)
class Ran:
    """How a command ended; ``seconds`` is what it took, ``memory`` the most that any of its
    processes had, ``most`` the most descriptors that its own process had at once."""

    code: int
    out: bytes
    err: bytes
    seconds: float
    memory: int
    most: int

    @property
    def document(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.out)
        return said


@dataclass
class Case:
    """One kind of tree: its steps, and what went wrong in them."""

    where: str
    top: Path
    cap_s: float
    trials: int = 0
    bad: list[str] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    quick: bool = False
    """Whether steps are left out that are much like others."""
    may_all: bool = True
    """Whether rights of files do not count, as for root."""

    def run(
        self,
        *arguments: str | bytes | Path,
        codes: Sequence[int] = (0,),
        meanwhile: Callable[[subprocess.Popen[bytes]], None] | None = None,
    ) -> Ran:
        """One step: it ends in time, without a crash, and as it should."""
        self.trials += 1
        ran = self._ran(arguments, meanwhile)
        self.ran.append(ran)
        step = " ".join(os.fsdecode(one)[-18:] for one in arguments[:2])
        if ran.code not in codes:
            self.bad.append(f"{step}: {ran.code}, {ran.err[-160:].decode('utf-8', 'replace')!r}")
        self.bad += [f"{step}: {one.decode()}" for one in _CRASHED if one in ran.err]
        return ran

    def expect(self, what: str, *, so: bool) -> None:
        self.trials += 1
        if not so:
            self.bad.append(what)

    def row(self, aim: int = 1) -> Row:
        told = "; ".join(self.bad[:3])
        longest = max((one.seconds for one in self.ran), default=0.0)
        memory = max((one.memory for one in self.ran), default=0)
        most = max((one.most for one in self.ran), default=0)
        figures = f"at most {longest:.1f} s, {memory >> 20} MiB, {most} descriptors"
        note = "; ".join([told] if told else [figures, *self.notes])
        return Row(PART, self.where, self.trials, len(self.bad), aim, note)

    def _ran(
        self,
        arguments: Sequence[str | bytes | Path],
        meanwhile: Callable[[subprocess.Popen[bytes]], None] | None,
    ) -> Ran:
        began = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "cachewright", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self.environment,
                preexec_fn=self._limit,  # noqa: PLW1509 - nothing but limits are set
                start_new_session=True,
            )
            watch = _Watch(process.pid, self.cap_s)
            if meanwhile is not None:
                meanwhile(process)
            _pid, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            watch.end()
            out.seek(0)
            err.seek(0)
            return Ran(
                process.returncode,
                out.read(),
                err.read() + (b"; it hung" if watch.hung else b""),
                time.monotonic() - began,
                used.ru_maxrss << 10,
                watch.most,
            )

    def _limit(self) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        for capability in () if self.may_all else _PASSES_BY:
            _libc.prctl(_DROP, capability, 0, 0, 0)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        places = {"HOME": str(self.top), "CACHEWRIGHT_STATE_DIR": str(self.top / "state")}
        return {**kept, **places, "LANG": "C.UTF-8"}


class _Watch:
    """Counts the descriptors of a process now and again, and ends it if it knows no end."""

    def __init__(self, pid: int, cap_s: float) -> None:
        self.most, self.hung = 0, False
        self._pid, self._until = pid, time.monotonic() + cap_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            with contextlib.suppress(OSError):
                self.most = max(self.most, len(os.listdir(f"/proc/{self._pid}/fd")))
            if time.monotonic() > self._until:
                self.hung = True
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._pid, signal.SIGKILL)
                return


@contextlib.contextmanager
def case(where: str, cap_s: float, *, quick: bool = False) -> Iterator[Case]:
    """A case in a folder of its own, gone afterwards however deep it is."""
    folder = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    top = Path(tempfile.mkdtemp(prefix="cachewright-limits-", dir=folder))
    try:
        yield Case(where, top, cap_s, quick=quick)
    finally:
        subprocess.run(["rm", "-rf", top], check=True)  # Python's own gives up at such a depth


def fast(*more: str | bytes | Path) -> list[str | bytes | Path]:
    """Options by which an answer comes soon."""
    return ["--floor", "0", "--observe", "0.01", "--settle", "0", *more]
