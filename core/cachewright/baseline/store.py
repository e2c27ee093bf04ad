"""Where baselines lie: one file for each root, in the user's state directory."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import Final

from cachewright.baseline.record import LIMIT, Baseline, document, parse
from cachewright.errors import (
    BaselineExists,
    BaselineNotKept,
    BaselineUnusable,
    CachewrightError,
    TooLarge,
)
from cachewright.repair.exclusive import exclusive
from cachewright.repair.journal import state_directory
from cachewright.storage.anchored import Directory
from cachewright.storage.beneath import SAFE_FLAGS
from cachewright.storage.swap import sync_directory

_FOLDER: Final = b"baselines"
_LOCK: Final = b"baselines.lock"
_NEW: Final = b".new"
_PATIENCE_S: Final = 10.0


class Baselines:
    """All baselines of this user; nothing is made until one is kept."""

    def __init__(self, state_dir: bytes | None = None) -> None:
        self._state_dir = state_directory() if state_dir is None else state_dir

    def path_of(self, root: bytes) -> bytes:
        """The file that a root's baseline is kept in, by the root's resolved path."""
        return os.path.join(self._state_dir, _FOLDER, _name(root))

    def of(self, root: bytes) -> Baseline | None:
        """The baseline of this root, None where none was taken.

        Raises ``BaselineUnusable`` for one that is damaged, of another root, or unreadable.
        """
        path = self.path_of(root)
        try:
            with Directory.open(os.path.dirname(path)) as folder:
                baseline = parse(folder.read(_name(root), LIMIT))
        except CachewrightError as error:
            if not os.path.lexists(path):
                return None
            reason = "it is too large" if isinstance(error, TooLarge) else "it is no plain file"
            raise BaselineUnusable(path=path, reason=reason) from error
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BaselineUnusable(path=path, reason=error.strerror or str(error)) from error
        except ValueError as error:
            raise BaselineUnusable(path=path, reason=str(error)) from error
        if baseline.root != root:
            raise BaselineUnusable(path=path, reason="it is of another directory")
        return baseline

    def refuse_second(self, root: bytes) -> None:
        """``BaselineExists`` where there is one, ``BaselineUnusable`` where it is damaged."""
        found = self.of(root)
        if found is not None:
            raise BaselineExists(path=root, date=found.date)

    def keep(self, baseline: Baseline, *, replace: bool) -> None:
        """Keep it, whole and durable when this returns.

        Without ``replace`` one that is there already stays: ``BaselineExists``.
        ``BaselineNotKept`` where it cannot be written; a former one is then as it was.
        """
        path = self.path_of(baseline.root)
        content = json.dumps(document(baseline), ensure_ascii=True).encode("ascii")
        if len(content) > LIMIT:
            raise BaselineNotKept(path=path, reason="it would be too large to be read again")
        try:
            self._keep(baseline.root, content, replace=replace)
        except OSError as error:
            raise BaselineNotKept(path=path, reason=error.strerror or str(error)) from error

    def _keep(self, root: bytes, content: bytes, *, replace: bool) -> None:
        os.makedirs(self._state_dir, mode=0o700, exist_ok=True)
        with Directory.open(self._state_dir) as state:
            with suppress(FileExistsError):
                state.make_directory(_FOLDER).close()
            with (
                exclusive(state, _LOCK, wait_s=_PATIENCE_S),
                state.open_directory(_FOLDER) as folder,
            ):
                if not replace:
                    self.refuse_second(root)
                _write(folder, _name(root), content)
            sync_directory(state)


def _name(root: bytes) -> bytes:
    return hashlib.sha256(root).hexdigest().encode() + b".json"


def _write(folder: Directory, name: bytes, content: bytes) -> None:
    """In one step: whoever reads finds the whole old or the whole new one."""
    new = name + _NEW
    flags = os.O_WRONLY | os.O_TRUNC | os.O_CREAT | SAFE_FLAGS
    try:
        with open(os.open(new, flags, 0o600, dir_fd=folder.fd), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(new, dir_fd=folder.fd)
        raise
    sync_directory(folder)
