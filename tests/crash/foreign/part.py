"""The part ``foreign`` of ``python -m tests.crash``."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.counts import Row
from tests.crash.enclosure import TOP, enclosed
from tests.crash.foreign import failing
from tests.crash.foreign.places import DISKS_BYTES, HERE, KINDS
from tests.crash.vm import machine
from tests.crash.vm.initrd import RESULTS, Job
from tests.crash.vm.kernel import kept, unpacked
from tests.crash.vm.packages import require

ALL: Final = (*KINDS, *failing.SCENARIOS)

_MODULE: Final = "tests.crash.foreign.guest"
_LIMIT_S: Final = 2400.0
_TOOLS: Final = (
    *("mkfs.vfat", "mkfs.exfat", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "dmsetup"),
    *("rpc.nfsd", "exportfs", "mount.nfs", "rpcbind", "bindfs"),
)


def run(quick: bool, kinds: Sequence[str] = ALL) -> list[Row]:
    """Rows for FUSE on this machine, and for vfat, exfat, NFS and failing disks in the small one;
    nothing quick can be said of them."""
    if quick:
        return []
    require(_TOOLS)
    here = [kind for kind in kinds if kind in HERE]
    there = [kind for kind in kinds if kind not in HERE]
    rows = enclosed(_MODULE, *here) if here else []
    return [*rows, *(_in_machine(there) if there else [])]


def _in_machine(kinds: Sequence[str]) -> list[Row]:
    with TemporaryDirectory(prefix="foreign-") as name, kept() as folder:
        place = Path(name)
        disks = {
            disk: machine.sparse(place / f"{disk}.disk", size) for disk, size in DISKS_BYTES.items()
        }
        within = place / "machine"
        within.mkdir()
        command = shlex.join([sys.executable, "-m", _MODULE, *kinds])
        job = Job(
            ["sh", "-c", f"{command} >{RESULTS}/rows.json"],
            TOP,
            {"PYTHONPATH": os.fspath(TOP / "core"), "PYTHONHASHSEED": "0"},
        )
        ran = machine.run(job, unpacked(folder), within, disks=disks, limit_s=_LIMIT_S)
        sys.stderr.write(ran.output)
        rows = json.loads((ran.results / "rows.json").read_text())
    return [Row(**row) for row in rows]
