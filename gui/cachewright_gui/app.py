"""Starts the window; what the command opens by its entry point.

Qt is imported in here only after it is known that it can be loaded.
"""

from __future__ import annotations

import faulthandler
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cachewright_assets import APP_ID
from cachewright_gui import preflight

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from cachewright.workbench import Options

EXIT_NO_WINDOW: Final = 3
_SWITCH_S: Final = 0.0005
"""How soon a worker in pure Python must hand the interpreter over (performance.md 4)."""


def run(root: bytes | None, options: Options | None = None, format_name: str | None = None) -> int:
    """Show the window until it is closed; ``root`` is opened, else the cache opened last.

    Without ``format_name`` the cache's kind is recognised, or remembered from the last time.

    Returns the exit code: 3 where no window can be shown, after one line on the error output.
    """
    reason = preflight.current()
    if reason:
        sys.stderr.write(f"{reason}\n")
        return EXIT_NO_WINDOW
    try:
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        sys.stderr.write(f"The window cannot be opened: {error}.\n")
        return EXIT_NO_WINDOW
    if sys.stderr is not None and sys.stderr.fileno() >= 0:
        faulthandler.enable()
    QApplication.setApplicationName("cachewright")
    QApplication.setApplicationDisplayName("Cachewright")
    QApplication.setDesktopFileName(APP_ID)
    app = QApplication(sys.argv[:1])
    return _show(app, root, options, format_name)


def steady() -> None:
    """Tune this process for a window that must not stall beside busy threads."""
    from cachewright_gui import garbage

    sys.setswitchinterval(_SWITCH_S)
    garbage.tame()


def _says_where(options: Options) -> bool:
    """Whether more was said than which place to open: then it counts, not what was remembered."""
    from cachewright.model import Access, Directories

    return bool(
        options.projects
        or options.sources
        or options.access != Access()
        or options.directories != Directories()
    )


def _show(
    app: QApplication, root: bytes | None, options: Options | None, format_name: str | None
) -> int:
    from cachewright.workbench import Options as Defaults
    from cachewright_gui import hooks, icons, theme
    from cachewright_gui.backend import Core
    from cachewright_gui.store import Recent, Store
    from cachewright_gui.window import MainWindow

    store = Store()
    theme.apply(app, store.theme())
    app.setWindowIcon(icons.app_icon())
    window = MainWindow(Core(), store, options or Defaults())
    jobs = window.jobs
    hooks.install(lambda error: jobs.post(lambda: jobs.failed.emit(error)))
    steady()
    window.show()
    if root is not None:
        known = next((one for one in store.recent() if one.root == root), Recent(root))
        if format_name is not None:
            known = replace(known, format_name=format_name)
        window.open_root(known, options if options is not None and _says_where(options) else None)
    else:
        window.open_last()
    return app.exec()
