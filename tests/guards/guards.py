"""The guards of a repair: where each stands, what it is without, and the tests that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_REPAIR: Final = "tests/unit/repair"
_STORAGE: Final = "tests/unit/storage"


@dataclass(frozen=True)
class Guard:
    """``text`` in ``file`` (below core/cachewright) becomes ``without``."""

    name: str
    file: str
    text: str
    without: str
    tests: tuple[str, ...]


GUARDS: Final = (
    Guard(
        "identity looked at again before acting",
        "repair/removing.py",
        "        subject.recheck()\n",
        "",
        (f"{_REPAIR}/test_removing.py",),
    ),
    Guard(
        "identity looked at again after the move",
        "repair/removing.py",
        "                    moved.recheck_moved()\n",
        "",
        (f"{_REPAIR}/test_removing.py",),
    ),
    Guard(
        "holders looked at again after the move",
        "repair/removing.py",
        "                    refuse(moved)\n",
        "",
        (f"{_REPAIR}/test_removing.py",),
    ),
    Guard(
        "every file of a tree looked at again",
        "repair/subject.py",
        "if self.is_directory and self.tree().signature(0) != self.signature:",
        "if False:",
        (f"{_REPAIR}/test_removing.py", f"{_REPAIR}/test_republishing.py"),
    ),
    Guard(
        "the tool's own lock is held",
        "repair/work.py",
        "            stack.enter_context(kernel.acquire(root, gate, subject=path))\n",
        "            pass\n",
        (f"{_REPAIR}/test_removing.py",),
    ),
    Guard(
        "a move replaces nothing",
        "storage/swap.py",
        "_NOREPLACE: Final = 1\n",
        "_NOREPLACE: Final = 0\n",
        (f"{_STORAGE}/test_swap.py",),
    ),
    Guard(
        "no link is followed",
        "storage/beneath.py",
        "_RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS",
        "0",
        (f"{_STORAGE}/test_anchored.py",),
    ),
    Guard(
        "nothing mounted is gone into",
        "storage/walking.py",
        "open_directory(name, one_mount=True)",
        "open_directory(name)",
        (f"{_STORAGE}/test_walking.py", f"{_STORAGE}/test_copying.py"),
    ),
    Guard(
        "the way back up is proven",
        "storage/walking.py",
        "        if _place(above) != self._trail.pop():\n",
        "        if self._trail.pop() is None:\n",
        (f"{_STORAGE}/test_walking.py", f"{_STORAGE}/test_copying.py"),
    ),
    Guard(
        "every file is made durable",
        "storage/reading_back.py",
        "        os.fsync(fd)\n",
        "        pass\n",
        (f"{_REPAIR}/test_durable.py",),
    ),
    Guard(
        "the directory is made durable before done is said",
        "repair/publication.py",
        "            sync_directory(target.parent)\n            if not target.missing:\n",
        "            if not target.missing:\n",
        (f"{_REPAIR}/test_durable.py",),
    ),
    Guard(
        "a failed fsync is final",
        "storage/swap.py",
        "            directory.sync_error = error.errno or errno.EIO\n",
        "            pass\n",
        (f"{_STORAGE}/test_swap.py",),
    ),
    Guard(
        "what is published is what was read back",
        "repair/publication.py",
        "            if _contents(self.files) != _contents(written):\n",
        "            if False:\n",
        (f"{_REPAIR}/test_republishing.py",),
    ),
    Guard(
        "a copy is verified before it is published",
        "repair/publication.py",
        "            content.verify(self.files)\n",
        "",
        (f"{_REPAIR}/test_publish.py", f"{_REPAIR}/test_republishing.py"),
    ),
    Guard(
        "links and devices in a tar are refused",
        "storage/archives/tar_list.py",
        "    if not directory and header.kind not in _FILES:\n        raise ValueError(NO_FILE)\n",
        "",
        (f"{_STORAGE}/test_tar.py", "tests/hostile/test_archives.py"),
    ),
    Guard(
        "names in an archive lead nowhere else",
        "storage/archives/members.py",
        "    check_name(name)\n",
        "",
        (f"{_STORAGE}/test_zip.py", "tests/hostile/test_archives.py"),
    ),
    Guard(
        "one Cachewright at a time",
        "repair/exclusive.py",
        "        _lock(fd, directory.where(name), wait_s)\n",
        "",
        (f"{_REPAIR}/test_quarantine.py", f"{_REPAIR}/test_recover.py"),
    ),
    Guard(
        "a record saved by somebody else is given back",
        "repair/rewriting.py",
        "    if out.parent.read(out.name, LIMIT) != old:\n",
        "    if False:\n",
        (f"{_REPAIR}/test_mending.py",),
    ),
    Guard(
        "a hard link's mode is left alone",
        "repair/permissions.py",
        "    if found.st_nlink != 1:\n",
        "    if False:\n",
        (f"{_REPAIR}/test_mending.py",),
    ),
    Guard(
        "what was prepared is recorded before it gets its place",
        "repair/publication.py",
        "        running.prepared(*publication.made())\n",
        "",
        (f"{_REPAIR}/test_recover.py", f"{_REPAIR}/test_durable.py"),
    ),
    Guard(
        "recovery leaves what others put there",
        "repair/recovering/giving_back.py",
        "            if not _as_made(scene, parent, name):\n                return False\n",
        "",
        (f"{_REPAIR}/test_recover.py",),
    ),
    Guard(
        "recovery waits for a living Cachewright",
        "repair/reopening.py",
        "            with quarantine.exclusive(), _gates(operation, root):\n",
        "            with _gates(operation, root):\n",
        (f"{_REPAIR}/test_recover.py",),
    ),
    Guard(
        "recovery of a purge waits for a living Cachewright",
        "repair/recovering/gone.py",
        "        with quarantine.exclusive():\n            yield\n",
        "        yield\n",
        (f"{_REPAIR}/test_recover.py",),
    ),
    Guard(
        "the journal's chain of hashes",
        "repair/records.py",
        '    if written != line + b"\\n":\n',
        "    if False:\n",
        (f"{_REPAIR}/test_journal.py",),
    ),
    Guard(
        "root leaves to others what is theirs",
        "repair/authority.py",
        "    if os.geteuid() != _ROOT:\n",
        "    if True:\n",
        (f"{_REPAIR}/test_authority.py",),
    ),
)
