from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cachewright_gui import preflight

VERBS = "check, locks, plan, repair"


def missing(*libraries: str) -> preflight.Callable[[str], bool]:
    return lambda library: library not in libraries


def test_without_a_display_one_line_names_the_verbs() -> None:
    said = preflight.obstacle({}, missing())
    assert said.startswith("There is no display")
    assert VERBS in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("environment", "lacking", "packages"),
    [
        ({"DISPLAY": ":0"}, ("libxcb-cursor.so.0",), "libxcb-cursor0"),
        ({"DISPLAY": ":0"}, ("libxcb-icccm.so.4", "libxcb-xkb.so.1"), "libxcb-icccm4 libxcb-xkb1"),
        ({"DISPLAY": ":0"}, ("libEGL.so.1",), "libegl1"),
        ({"QT_QPA_PLATFORM": "offscreen"}, ("libGL.so.1",), "libgl1"),
        ({"QT_QPA_PLATFORM": "xcb"}, ("libxcb-cursor.so.0",), "libxcb-cursor0"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, ("libwayland-cursor.so.0",), "libwayland-cursor0"),
    ],
)
def test_what_is_missing_is_named_with_its_package(
    environment: dict[str, str], lacking: tuple[str, ...], packages: str
) -> None:
    said = preflight.obstacle(environment, missing(*lacking))
    assert f"apt install {packages}." in said
    assert VERBS in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "environment",
    [
        {"QT_QPA_PLATFORM": "offscreen"},
        {"QT_QPA_PLATFORM": "vnc:port=1"},
        {"QT_QPA_PLATFORM": "wayland;xcb"},
        {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"},
    ],
)
def test_one_working_platform_is_enough(environment: dict[str, str]) -> None:
    assert preflight.obstacle(environment, missing("libxcb-cursor.so.0")) == ""


def test_an_x_server_stands_in_for_a_wayland_that_cannot_be_loaded() -> None:
    both = {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}
    assert preflight.obstacle(both, missing("libwayland-cursor.so.0")) == ""
    lacking = missing("libwayland-cursor.so.0", "libxcb-cursor.so.0")
    assert "libxcb-cursor0" in preflight.obstacle(both, lacking)


def test_the_libraries_are_those_of_the_installed_plugin() -> None:
    """The list is held against the plugin itself, as far as it is installed here."""
    from PySide6.QtCore import QLibraryInfo

    plugins = QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)
    ran = subprocess.run(
        ["readelf", "-d", f"{plugins}/platforms/libqxcb.so"],
        capture_output=True,
        text=True,
        check=True,
    )
    needed = {
        line.split("[")[1].rstrip("]") for line in ran.stdout.splitlines() if "NEEDED" in line
    }
    needed = {one for one in needed if one.startswith(("libxcb-", "libxkb", "libX11"))}
    known = {*preflight._XCB, *preflight._ALWAYS}
    assert needed <= known


def test_the_program_ends_with_one_line_instead_of_an_abort() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    }
    code = "import sys; from cachewright_gui.app import run; sys.exit(run(None))"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 3
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert VERBS in ran.stderr
