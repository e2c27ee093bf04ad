"""The part ``foreign`` of ``python -m tests.crash``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.counts import Row
from tests.crash.enclosure import TOP
from tests.crash.foreign.places import DISKS_BYTES
from tests.crash.vm import machine
from tests.crash.vm.initrd import Job
from tests.crash.vm.kernel import kept, unpacked
from tests.crash.vm.packages import require

_LIMIT_S: Final = 1200.0
_TOOLS: Final = (
    *("mkfs.vfat", "mkfs.exfat", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "dmsetup"),
    *("rpc.nfsd", "exportfs", "mount.nfs", "rpcbind"),
)


def run(quick: bool, kinds: Iterable[str] = ()) -> list[Row]:
    """Rows for vfat, exfat, NFS and failing disks; nothing quick can be said of them."""
    if quick:
        return []
    require(_TOOLS)
    with TemporaryDirectory(prefix="foreign-") as name, kept() as folder:
        place = Path(name)
        disks = {
            disk: machine.sparse(place / f"{disk}.disk", size) for disk, size in DISKS_BYTES.items()
        }
        within = place / "machine"
        within.mkdir()
        command = [sys.executable, "-m", "tests.crash.foreign.guest", *kinds]
        job = Job(command, TOP, {"PYTHONPATH": os.fspath(TOP / "core")})
        ran = machine.run(job, unpacked(folder), within, disks=disks, limit_s=_LIMIT_S)
        sys.stderr.write(ran.output)
        rows = json.loads((ran.results / "rows.json").read_text())
    return [Row(**row) for row in rows]
