"""The real window over caches full of hostile names: every page, dialog, menu and message."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final
from unittest import mock

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QEventLoop, QPointF, QSettings
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QWidget
from tests.counts import Row
from tests.hostile.names_cases import MARK, NAMES
from tests.hostile.names_judging import ALL, Counts, Spelled, missing
from tests.hostile.names_looking import RED, Tooltip, canaries, faults, whole
from tests.hostile.names_world import World, held_name, lock_name, staged_name

from cachewright.text import display, is_text
from cachewright.workbench import Options
from cachewright_gui.backend import Core
from cachewright_gui.dialogs.force_unlock import CannotUnlock, ForceUnlock
from cachewright_gui.dialogs.open_cache import OpenCache
from cachewright_gui.pages import cache_page
from cachewright_gui.plain import PlainLabel, tooltip
from cachewright_gui.store import Recent, Store
from cachewright_gui.window import MainWindow

_PATIENCE_S: Final = 90.0
PAGES: Final = (
    cache_page.PROBLEMS,
    cache_page.CONTENTS,
    cache_page.LOCKS,
    cache_page.STAGING,
    cache_page.HISTORY,
)
Names = Sequence[bytes]


def application() -> QApplication:
    """The one of this process."""
    running = QApplication.instance()
    return running if isinstance(running, QApplication) else QApplication(["cachewright"])


class Eyes:
    """A window, and what was counted of what it shows."""

    def __init__(self, window: MainWindow, app: QApplication) -> None:
        self.window = window
        self._app = app
        self.shown = Counts("window, names shown whole")
        self.plain = Counts("window, rich text and raw characters")
        self.drawn = Counts("window, pictures drawn of a name")

    def until(self, happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not happened():
            if time.monotonic() > deadline:
                raise TimeoutError("the window did not come to rest")
            self._app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)

    def rests(self) -> bool:
        session = self.window.session
        return session is not None and not session.state.busy and not self.window.searching

    def open(self, opened: Recent) -> None:
        self.window.open_root(opened)
        self.until(self.rests)

    def look(self, place: str, top: QWidget, of: Spelled | None = None, names: Names = ALL) -> None:
        """Every name is there whole; nothing of it is more than text."""
        self.shown.add(place, missing(whole(top), of, names), len(names))
        self.check(place, top, len(names))

    def check(self, place: str, top: QWidget, trials: int = 1) -> None:
        found = faults(top)
        self.plain.add(place, sorted(set(found))[:3], trials)
        self.drawn.add(place, ["it is drawn"] if canaries(top) else [], trials)

    def rows(self) -> list[Row]:
        return [one.row(len(NAMES)) for one in (self.shown, self.plain, self.drawn)]


@contextlib.contextmanager
def _canary(folder: Path) -> Iterator[None]:
    """A picture of that name in the current directory, for whatever takes the name for markup."""
    image = QImage(64, 64, QImage.Format.Format_RGB32)
    image.fill(RED)
    folder.mkdir()
    image.save(str(folder / "canary.png"))
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Eyes]:
    """An empty window with settings of its own."""
    app = application()
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    for kind in (QSettings.Format.IniFormat, QSettings.Format.NativeFormat):
        QSettings.setPath(kind, QSettings.Scope.UserScope, str(folder / "settings"))
    options = Options(floor_s=0, observe_s=0.01, settle_s=0, environment=dict(os.environ))
    window = MainWindow(Core(), Store(), options)
    window.show()
    try:
        yield Eyes(window, app)
    finally:
        window.close()
        window.deleteLater()
        app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        app.processEvents()


def run(world: World, *, quick: bool) -> list[Row]:
    folder = Path(os.fsdecode(world.at(b"window")))
    folder.mkdir()
    application()
    with _canary(folder / "current"), opened(folder) as eyes:
        _files(world, eyes, quick=quick)
        _locks(world, eyes, quick=quick)
        _folders(world, eyes)
        _repairs(world, eyes, quick=quick)
        _failures(world, eyes)
        return [*eyes.rows(), *_naive()]


def _pages(eyes: Eyes, place: str, wanted: Sequence[int], of: Spelled | None, step: int) -> None:
    """Each page as a table, then row by row in the evidence pane."""
    cache = eyes.window.cache
    for page in wanted:
        cache.go_to(page)
        view = cache.views()[page]
        where = f"{place}, {cache_page.TAB_NAMES[page]}"
        eyes.look(where, view, of)
        if page == cache_page.CONTENTS:
            _map(eyes, where, named=of is None)
        told = ""
        for row in range(0, view.model().rowCount(), step):
            view.setCurrentIndex(view.model().index(row, 0))
            told += whole(cache.evidence)
            eyes.check(f"{where}, evidence", cache.evidence)
        if step == 1:
            eyes.shown.add(f"{where}, evidence", missing(told, of), len(NAMES))
        eyes.check(where, eyes.window)


def _map(eyes: Eyes, where: str, *, named: bool) -> None:
    chart = eyes.window.cache.contents.map
    eyes.until(lambda: chart.tiles)
    said = ""
    for tile in chart.tiles:
        left, top, width, height = tile.box
        said += Tooltip(chart._words_at(QPointF(left + width / 2, top + height / 2))).said
    if named:  # where every file has its tile
        eyes.shown.add(f"{where}, map", missing(said), len(NAMES))
    eyes.check(f"{where}, map", chart, len(NAMES))


def _files(world: World, eyes: Eyes, *, quick: bool) -> None:
    """Names of entries, on every page that has them and in the review of all repairs."""
    eyes.open(Recent(world.files, "", "checksums", sources=(world.mirror,)))
    _pages(eyes, "files", (cache_page.PROBLEMS, cache_page.CONTENTS), None, 4 if quick else 1)
    eyes.window.commands.review_all()
    eyes.until(lambda: eyes.window.repairs.dialog)
    dialog = eyes.window.repairs.dialog
    assert dialog is not None
    eyes.look("review repairs", dialog)
    dialog.reject()
    eyes.until(lambda: eyes.window.repairs.dialog is None)


def _locks(world: World, eyes: Eyes, *, quick: bool) -> None:
    """Names and records of locks, those who hold them, and their release by force."""
    eyes.open(Recent(world.locks, "", "stranger"))
    for form in (lock_name, held_name):
        _pages(eyes, "locks", (cache_page.LOCKS,), form, 12 if quick else 1)
    locks = eyes.window.cache.locks
    locks.show_notes(_noted(eyes))
    eyes.look("notes", locks.notes)
    held = 0
    for row in range(locks.model.rowCount()):
        lock = locks.model.item(row)
        is_held = bool(lock.holders)
        held += is_held
        if quick and row % 12:
            continue
        locks.view.setCurrentIndex(locks.model.index(row, 0))
        eyes.window.commands.force_unlock()
        flow = eyes.window.unlocks
        eyes.until(lambda flow=flow: flow.dialog or flow.refusal)
        dialog = flow.dialog or flow.refusal
        assert isinstance(dialog, CannotUnlock if is_held else ForceUnlock)
        eyes.check("force unlock", dialog)
        told = whole(dialog)
        name = next(one for one in ALL if lock.path.endswith(_of(one, held=is_held)))
        form = held_name if is_held else lock_name
        eyes.shown.add("force unlock", missing(told, form, [name]))
        dialog.reject()
        eyes.until(lambda flow=flow: flow.dialog is None and flow.refusal is None)
    eyes.shown.add("held by them", [] if held == len(NAMES) else [f"{held} held"])
    eyes.open(Recent(world.project, "", "terraform-state"))
    _pages(eyes, "project", (cache_page.LOCKS,), None, 12 if quick else 1)


def _of(name: bytes, *, held: bool) -> bytes:
    return b"/" + (held_name(name) if held else lock_name(name))


def _noted(eyes: Eyes) -> object:
    """The state, with notes that say every name."""
    from copy import copy

    session = eyes.window.session
    assert session is not None
    state = copy(session.state)
    state.notes = tuple(one.decode("utf-8", "surrogateescape") for one in ALL)
    return state


def _folders(world: World, eyes: Eyes) -> None:
    """Names of folders on the way to a cache, and of its staging; all that tells of a cache."""
    near = [os.path.join(world.deep, one) for one in (b"projects", b"mirror")]
    recent = Recent(world.providers, "", "terraform", (near[0],), (near[1],))
    eyes.open(recent)
    _pages(eyes, "folders", (cache_page.PROBLEMS,), None, 12)
    _pages(eyes, "folders", (cache_page.STAGING, cache_page.CONTENTS), staged_name, 12)
    window = eyes.window
    eyes.look("header", window.cache.header)
    eyes.look("sidebar", window.sidebar)
    eyes.look("recent", window.actions_.recent)
    dialog = OpenCache((), recent, window)
    eyes.look("open cache", dialog)
    picked = dialog.picked
    same = (picked.root, picked.projects, picked.sources)
    kept = same == (recent.root, recent.projects, recent.sources)
    eyes.shown.add("open cache, as bytes", [] if kept else ["it is another place"], len(NAMES))
    dialog.deleteLater()
    _picked(world, eyes)


def _picked(world: World, eyes: Eyes) -> None:
    """Each name as the last one of a path: known from before, and picked where Qt can tell it."""
    for name in ALL:
        root = os.path.join(world.at(b"picked"), name)
        os.makedirs(root)
        dialog = OpenCache((), Recent(root, ""), eyes.window)
        eyes.shown.add("open cache", [] if dialog.picked.root == root else [display(root)])
        dialog.path.clear()
        told = os.fsdecode(root)
        if is_text(root):
            with mock.patch.object(QFileDialog, "getExistingDirectory", return_value=told):
                dialog.browse.click()
            eyes.shown.add("browse", [] if dialog.picked.root == root else [display(root)])
        dialog.deleteLater()


def _repairs(world: World, eyes: Eyes, *, quick: bool) -> None:
    """Repairs by the window: each says what it did, is listed, and is undone by name."""
    source = world.at(b"mirror-of-window")
    eyes.open(Recent(world.in_window, "", "checksums", sources=(source,)))
    window = eyes.window
    chosen = world.some[-2:] if quick else world.some
    for name in chosen:
        place = os.path.join(world.in_window, name)
        inode = os.lstat(place).st_ino
        found = next(one for one in window.session.state.findings if one.path == place)
        window.repairs.review(window.session, findings=(found.id,))
        eyes.until(lambda: window.repairs.dialog)
        window.repairs.dialog.apply.click()
        eyes.until(lambda: window.repairs.dialog is None and eyes.rests())
        was = os.lstat(place).st_ino != inode
        eyes.shown.add("repaired by its row", [] if was else ["another one was, or none"])
        eyes.until(lambda: window.undoable() is not None)
        eyes.until(lambda name=name: not missing(_undo_words(eyes), None, [name]))
        eyes.check("after a repair", window)
    window.cache.go_to(cache_page.HISTORY)
    eyes.look("history", window.cache.history.view, names=chosen)
    window.commands.undo_last()
    eyes.until(eyes.rests)
    eyes.look("undone", window.messages, names=chosen[-1:])


def _undo_words(eyes: Eyes) -> str:
    return eyes.window.actions_["undo"].text().replace("&&", "&")


def _failures(world: World, eyes: Eyes) -> None:
    """A cache that is not there, and whatever else goes wrong with names in it."""
    eyes.open(Recent(os.path.join(world.deep, b"absent"), "", "checksums"))
    eyes.window.cache.go_to(cache_page.PROBLEMS)
    eyes.look("could not be opened", eyes.window.cache.evidence)
    for name in ALL:
        eyes.window.jobs.failed.emit(FileNotFoundError(2, "No such file", name))
        eyes.window.jobs.failed.emit(ValueError(name.decode("utf-8", "surrogateescape")))
    said = ""
    for _ in range(2 * len(ALL)):
        said += whole(eyes.window.messages)
        eyes.check("failures", eyes.window.messages)
        eyes.window.messages.next()
    eyes.shown.add("failures", missing(said), len(NAMES))


def _naive() -> list[Row]:
    """The same name in widgets as they come: what this harness is there to see."""
    label = QLabel(MARK)
    label.resize(400, 80)
    control = Counts("a label as Qt makes it")
    control.add("label", ["drawn"] if canaries(label) else [])
    control.add("label", faults(label))
    cut = QLabel("n\udcff\udcfe")
    control.add("label", [] if cut.text() == "n\udcff\udcfe" else ["cut"])
    ours = Counts("a label and a tooltip of ours")
    for name in ALL:
        text = name.decode("utf-8", "surrogateescape")
        plain, tip = PlainLabel(text), QLabel(tooltip(text))
        for one in (plain, tip):
            one.resize(400, 80)
            ours.add("ours", ["drawn"] if canaries(one) else [])
        said = "\n".join(map(display, text.split("\n")))
        ours.add("ours", [] if Tooltip(tip.text()).said == said == plain.text() else [said])
    return [ours.row(len(NAMES)), control.row(1, expects_bad=True)]
