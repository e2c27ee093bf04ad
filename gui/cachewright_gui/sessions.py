"""The caches that are open: one in front, some kept behind it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cachewright.workbench import Options
from cachewright_gui import garbage
from cachewright_gui.backend import Backend
from cachewright_gui.collector import Part
from cachewright_gui.jobs import Jobs
from cachewright_gui.session import Session
from cachewright_gui.state import Phase, State
from cachewright_gui.store import Recent

_KEPT_OPEN: Final = 4
_SWEEP_MS: Final = 3000


class Sessions(QObject):
    """Opens each cache once.  ``changed`` carries a session and its changed parts."""

    changed = Signal(object, object)
    failed = Signal(object)

    def __init__(
        self, backend: Backend, jobs: Jobs, options: Options, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._backend = backend
        self._jobs = jobs
        self._options = options
        self._open: dict[bytes, Session] = {}
        self.current: Session | None = None

    def open(self, opened: Recent, options: Options | None = None) -> Session:
        """Bring a cache to the front, opening it unless it is open already."""
        session = self._open.get(opened.root)
        if session is not None and session.state.phase is Phase.FAILED:
            self._drop(session)
            session = None
        if session is None:
            session = self._begin(opened, options)
        self.current = session
        self._evict()
        return session

    def open_anew(self, opened: Recent) -> Session:
        """Open a cache with other projects or copies than before."""
        before = self._open.get(opened.root)
        if before is not None:
            self._drop(before)
        return self.open(opened)

    def states(self) -> dict[bytes, State]:
        return {root: session.state for root, session in self._open.items()}

    def shut(self) -> bool:
        """Ask all work to stop; whether a repair is in the middle of a step."""
        repairing = any(one.state.phase is Phase.REPAIRING for one in self._open.values())
        for session in self._open.values():
            session.shut()
        return repairing

    def _begin(self, opened: Recent, options: Options | None) -> Session:
        chosen = options or replace(
            self._options,
            projects=opened.projects,
            sources=opened.sources,
            access=opened.access,
            directories=opened.directories,
        )
        session = Session(
            opened.root,
            opened.format_name,
            chosen,
            backend=self._backend,
            jobs=self._jobs,
            parent=self,
        )
        self._open[opened.root] = session
        session.changed.connect(partial(self._tell, session))
        session.failed.connect(self.failed)
        session.checked.connect(self._sweep_soon)
        session.open()
        return session

    def _tell(self, session: Session, parts: frozenset[Part]) -> None:
        self.changed.emit(session, parts)

    def _drop(self, session: Session) -> None:
        session.shut()
        self._open.pop(session.state.root, None)
        session.deleteLater()

    def _evict(self) -> None:
        """Close what has been idle longest, so that big inventories do not pile up."""
        idle = [
            one for one in self._open.values() if one is not self.current and not one.state.busy
        ]
        while len(self._open) > _KEPT_OPEN and idle:
            self._drop(idle.pop(0))

    @Slot()
    def _sweep_soon(self) -> None:
        QTimer.singleShot(_SWEEP_MS, self._sweep)

    @Slot()
    def _sweep(self) -> None:
        if not any(one.state.busy for one in self._open.values()):
            garbage.sweep()
