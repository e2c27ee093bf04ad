"""Whether Qt can show a window here, found out before Qt is asked.

Where its platform plugin cannot be loaded Qt ends the process (``qFatal``); no exception says
what is missing.  So the plugin's libraries are loaded first, one by one, which costs what Qt would
pay anyway.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

_ALWAYS: Final = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libX11.so.6": "libx11-6",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""What QtGui itself needs, by the Debian package that has it."""

_XCB: Final = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
_WAYLAND: Final = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
}

_VERBS: Final = "The verbs work without a window: check, locks, plan, repair."


def loads(library: str) -> bool:
    """Whether the dynamic linker finds and loads it."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def obstacle(environment: Mapping[str, str], loadable: Callable[[str], bool] = loads) -> str:
    """One line that says what is missing and what to do; empty where a window can be shown."""
    if not sys.platform.startswith("linux"):
        return ""
    missing = _missing(_ALWAYS, loadable)
    if missing:
        return _say(missing)
    plugins = _plugins(environment)
    if not plugins:
        return f"There is no display, so no window can be opened. {_VERBS}"
    lacking = [_missing(plugin, loadable) for plugin in plugins]
    return "" if [] in lacking else _say(lacking[-1])


def _plugins(environment: Mapping[str, str]) -> list[Mapping[str, str]]:
    """What each platform plugin needs that Qt would try, in its order; one is enough."""
    if chosen := environment.get("QT_QPA_PLATFORM"):
        names = [one.split(":")[0] for one in chosen.split(";")]
        return [{"xcb": _XCB, "wayland": _WAYLAND}.get(name, {}) for name in names]
    plugins = [_WAYLAND] if environment.get("WAYLAND_DISPLAY") else []
    return [*plugins, _XCB] if environment.get("DISPLAY") else [*plugins]


def _missing(wanted: Mapping[str, str], loadable: Callable[[str], bool]) -> list[str]:
    return [package for library, package in wanted.items() if not loadable(library)]


def _say(packages: list[str]) -> str:
    if not packages:
        return ""
    names = " ".join(packages)
    return (
        f"The window needs system libraries that are not installed. On Debian or Ubuntu: "
        f"apt install {names}. {_VERBS}"
    )


def current() -> str:
    """``obstacle`` for this process."""
    return obstacle(os.environ)
