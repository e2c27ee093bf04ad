"""Whether a window can be opened here, found out without loading Qt, which aborts if not."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Mapping
from typing import Final

_TIMEOUT_S: Final = 3.0
_X_TCP_BASE: Final = 6000


def reason_against(environment: Mapping[str, str]) -> str:
    """Empty where a window can be opened, else one sentence."""
    if not sys.platform.startswith(("linux", "freebsd")) or environment.get("QT_QPA_PLATFORM"):
        return ""
    tried = []
    if wayland := environment.get("WAYLAND_DISPLAY"):
        runtime = environment.get("XDG_RUNTIME_DIR", "")
        if _answers(socket.AF_UNIX, os.path.join(runtime, wayland)):
            return ""
        tried.append(wayland)
    if x_server := environment.get("DISPLAY"):
        if _x_answers(x_server):
            return ""
        tried.append(x_server)
    if tried:
        return f"The display {' or '.join(tried)} does not answer, so no window can be opened."
    return "There is no display, so no window can be opened."


def _x_answers(name: str) -> bool:
    match = re.fullmatch(r"(?:[a-z]+/)?(?P<host>[^:]*):(?P<number>\d+)(?:\.\d+)?", name)
    if match is None:
        return False
    number = int(match["number"])
    if match["host"] in {"", "unix"}:
        place = f"/tmp/.X11-unix/X{number}"  # noqa: S108  # where X servers listen by convention
        return _answers(socket.AF_UNIX, place) or _answers(socket.AF_UNIX, f"\0{place}")
    return _answers(socket.AF_INET, (match["host"], _X_TCP_BASE + number))


def _answers(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_TIMEOUT_S)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True
