"""The first file system of the small machine: finds the host's, covers it, runs one command."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.crash.vm.kernel import Kernel
from tests.crash.vm.packages import Missing, path, require

_TOOLS: Final = ("busybox", "cpio", "modprobe")
_MODULES: Final = ("virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "overlay")
_APPLETS: Final = ("sh", "mount", "modprobe", "mkdir", "switch_root", "cp")
_LISTS: Final = ("dep", "alias", "builtin", "order", "softdep", "symbols")

HOST_TAG: Final = "host"
RESULTS: Final = "/run/results"
"""What the command writes there comes back to the host; what it prints is seen at once."""
DISKS: Final = "/run/disks"
"""A link for every disk, by the name that the host gave it."""
RESULTS_DISK: Final = "results"

_INIT: Final = """\
#!/bin/sh
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for m in {modules}; do modprobe $m; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose {tag} /host
mount -t tmpfs t /over
mkdir -p /over/upper /over/work
mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work o /new
mount -t proc p /new/proc; mount -t sysfs s /new/sys
mount -t devtmpfs d /new/dev; mount -t tmpfs t /new/run
mkdir -p /new/dev/shm /new/lib/modules/{version}
mount -o bind /host{library} /new/lib/modules/{version}
cp /job /new/run/job
exec switch_root /new /bin/sh /run/job
"""

_JOB: Final = """\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root {variables}
mkdir -p {results} {disks}
for disk in /sys/block/vd*; do
  ln -s /dev/${{disk##*/}} {disks}/$(cat $disk/serial)
done
cd {folder} && {command} >/dev/console 2>&1
echo $? >{results}/status
tar -cf {disks}/{results_disk} -C {results} .
sync
echo o >/proc/sysrq-trigger
sleep 60
"""


@dataclass(frozen=True)
class Job:
    """What the machine runs as root, in ``folder`` of the host's own file tree."""

    command: Sequence[str]
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def script(self) -> str:
        return _JOB.format(
            variables=" ".join(f"{key}={shlex.quote(to)}" for key, to in self.variables.items()),
            results=RESULTS,
            disks=DISKS,
            results_disk=RESULTS_DISK,
            folder=shlex.quote(os.fspath(self.folder)),
            command=shlex.join(self.command),
        )


def build(kernel: Kernel, job: Job, place: Path) -> Path:
    """Write the archive into ``place`` and return where it lies."""
    require(_TOOLS)
    tree = place / "initrd"
    for name in ("bin", "proc", "sys", "dev", "host", "over", "new"):
        (tree / name).mkdir(parents=True)
    _put_busybox(tree)
    _put_modules(kernel, tree)
    library = shlex.quote(os.fspath(kernel.modules.resolve()))
    init = _INIT.format(
        modules=" ".join(_MODULES), tag=HOST_TAG, version=kernel.version, library=library
    )
    (tree / "init").write_text(init)
    (tree / "init").chmod(0o755)
    (tree / "job").write_text(job.script())
    return _pack(tree, place / "initrd.cpio")


def _put_busybox(tree: Path) -> None:
    found = shutil.which("busybox", path=path())
    if found is None or b"ld-linux" in Path(found).read_bytes()[:4096]:
        raise Missing(
            "busybox needs libraries; install the other one: apt-get install busybox-static"
        )
    shutil.copy2(found, tree / "bin" / "busybox")
    for name in _APPLETS:
        (tree / "bin" / name).symlink_to("busybox")


def _put_modules(kernel: Kernel, tree: Path) -> None:
    """The modules that lead to the host's files, with what they need, and modprobe's lists."""
    into = tree / "lib" / "modules" / kernel.version
    into.mkdir(parents=True)
    for name in _LISTS:
        shutil.copy2(kernel.modules / f"modules.{name}", into)
    for name in _MODULES:
        ask = [
            "modprobe",
            "-d",
            os.fspath(kernel.tree),
            "-S",
            kernel.version,
            "--show-depends",
            name,
        ]
        told = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        for line in told.splitlines():
            verb, _, rest = line.partition(" ")
            if verb == "insmod":
                module = Path(rest.split(" ")[0])
                goal = into / module.relative_to(kernel.modules)
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(module, goal)


def _pack(tree: Path, archive: Path) -> Path:
    names = [os.fspath(one.relative_to(tree)) for one in sorted(tree.rglob("*"))]
    with archive.open("wb") as file:
        subprocess.run(
            ["cpio", "--quiet", "--create", "--format=newc"],
            cwd=tree,
            input="\n".join(names).encode(),
            stdout=file,
            check=True,
        )
    return archive
