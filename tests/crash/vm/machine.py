"""A small machine with a kernel of its own: runs one command and ends by itself.

It sees the host's whole file tree at the same paths, read-only; what it writes there is gone at
its end.  It is emulated, so it runs anywhere, about ten times as slow as the host.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.crash.vm import initrd
from tests.crash.vm.initrd import HOST_TAG, RESULTS_DISK, Job
from tests.crash.vm.kernel import Kernel
from tests.crash.vm.packages import require

_RESULTS_BYTES: Final = 256 << 20
_MEMORY_MB: Final = 1500


class MachineFailed(Exception):
    """It did not end in time, or its command failed; the message has its last words."""


@dataclass(frozen=True)
class Ran:
    """``results`` is the folder that came back; ``output`` what the command printed, after what
    the machine said when it started."""

    results: Path
    output: str


def run(job: Job, kernel: Kernel, place: Path, *, disks: Mapping[str, Path], limit_s: float) -> Ran:
    """Run ``job`` and bring back what it wrote into ``initrd.RESULTS``.

    ``disks`` are raw files by the name that the job finds them under.  ``place`` is an empty
    folder.  ``MachineFailed`` after ``limit_s`` seconds, or where the command's status is not 0.
    """
    require(["qemu-system-x86_64"])
    archive = initrd.build(kernel, job, place)
    back = sparse(place / "results.tar", _RESULTS_BYTES)
    command = [*_COMMAND, "-kernel", os.fspath(kernel.image), "-initrd", os.fspath(archive)]
    for name, path in {**disks, RESULTS_DISK: back}.items():
        command += ["-drive", f"if=none,format=raw,id={name},file={path},cache=unsafe"]
        command += ["-device", f"virtio-blk-pci,drive={name},serial={name}"]
    console = place / "console"
    with console.open("wb") as file:
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            said = console.read_text(errors="replace")
            raise MachineFailed(f"not done after {limit_s:.0f} s; it said: {said}") from None
    return _brought(back, place / "results", console.read_text(errors="replace"))


def sparse(path: Path, size: int) -> Path:
    """A file of that many bytes, none of them written."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def _brought(archive: Path, folder: Path, said: str) -> Ran:
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
        status = int((folder / "status").read_text())
    except (tarfile.TarError, OSError, ValueError) as error:
        raise MachineFailed(f"nothing came back ({error}); it said: {said}") from error
    if status:
        raise MachineFailed(f"the command ended with {status}; it said: {said}")
    return Ran(folder, said)


_COMMAND: Final = [
    "qemu-system-x86_64",
    *("-accel", "tcg", "-cpu", "max", "-m", str(_MEMORY_MB), "-smp", "1"),
    *("-nographic", "-no-reboot", "-nic", "none"),
    *("-append", "console=ttyS0 loglevel=1 panic=-1 mitigations=off"),
    *("-fsdev", "local,id=h,path=/,security_model=passthrough,readonly=on,multidevs=remap"),
    *("-device", f"virtio-9p-pci,fsdev=h,mount_tag={HOST_TAG}"),
]
