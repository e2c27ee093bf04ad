"""Names that writers give to files they have not finished, and the marks they leave when done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cachewright.formats.checksums_places import joined

MARKER_LIMIT: Final = 4096
"""A larger file is no marker, whatever its name."""


@dataclass(frozen=True, slots=True)
class Temporary:
    """A name of an unfinished file: who gives such names, and the path that it is to have when
    it is finished.  ``certain``: in a hand-over folder, nothing else has names of this shape;
    ``telling``: nowhere.  ``likely``: it is worth to be mentioned even where neither holds."""

    writer: str
    final: bytes
    certain: bool = True
    telling: bool = True
    likely: bool = True


_SUFFIXES: Final = {
    b"part": "a browser or a download tool",
    b"partial": "a download tool",
    b"filepart": "WinSCP",
    b"incomplete": "a download tool",
    b"crdownload": "Chrome",
    b"opdownload": "Opera",
    b"download": "Safari",
    b"unfinished": "an upload tool",
    b"uploading": "an upload tool",
    b"inprogress": "an upload tool",
    b"in-progress": "an upload tool",
    b"writing": "an upload tool",
    b"tmp": "many programs",
    b"temp": "many programs",
    b"gstmp": "gsutil",
    b"!qB": "qBittorrent",
    b"!ut": "uTorrent",
}
_TOO_PLAIN: Final = frozenset({b"tmp", b"temp", b"download", b"writing", b"partial"})
"""Endings that other files have, too."""

_BY_SUFFIX: Final = re.compile(
    rb"(?P<final>.+?)(?:\.[0-9a-f]{8})?[._](?P<suffix>"
    + b"|".join(re.escape(one) for one in sorted(_SUFFIXES, reverse=True))
    + rb")",
    re.DOTALL,
)
_RANDOM: Final = re.compile(rb"(?P<final>.+)\.(?P<random>[0-9A-Fa-f]{8})", re.DOTALL)
_RSYNC: Final = re.compile(rb"\.(?P<final>.+)\.(?P<random>[0-9A-Za-z]{6})", re.DOTALL)
_SYNCTHING: Final = re.compile(rb"(?:\.|~)syncthing(?:\.|~)(?P<final>.+)\.tmp", re.DOTALL)
_LFTP: Final = re.compile(rb"\.in\.(?P<final>.+)\.?", re.DOTALL)
_AZURE: Final = re.compile(rb"\.azDownload-[0-9a-f-]{36}-(?P<final>.+)", re.DOTALL)
_HADOOP: Final = re.compile(rb"(?P<final>.+)\._COPYING_", re.DOTALL)
_SHAPES: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = (
    (_SYNCTHING, "Syncthing"),
    (_AZURE, "AzCopy"),
    (_HADOOP, "Hadoop"),
    (_LFTP, "lftp"),
)
_KEPT_APART: Final = frozenset({b".~tmp~", b".rsync-partial", b".rsync-tmp"})
"""Directories in which rsync keeps what it has not finished, below the final place."""

_MARKERS: Final = (
    b"done", b"ok", b"ready", b"complete", b"completed", b"finished", b"success", b"fin", b"trg",
)  # fmt: skip
MARKERS: Final = re.compile(
    rb"(?i:(?P<subject>.*)\.(?:" + b"|".join(_MARKERS) + rb")|_SUCCESS|_DONE|_COMPLETE)", re.DOTALL
)
CONTROLS: Final = re.compile(
    rb"(?P<subject>.+)(?:\.aria2(?:__temp)?|\.lftp-pget-status|\.st)", re.DOTALL
)
EDITORS: Final = re.compile(
    rb"\..*\.sw[a-px]|.*~|\.#.*|#.*#|\.nfs[0-9a-f]+|\.DS_Store|Thumbs\.db|desktop\.ini|.*\.lo?ck",
    re.DOTALL,
)
"""What editors, file managers and locks leave beside files; none of it is handed over."""

CONTROL_WRITERS: Final = {b".aria2": "aria2", b".lftp-pget-status": "lftp", b".st": "axel"}


def temporary(relative: bytes) -> Temporary | None:
    """Whose unfinished file has this path; None where nothing tells."""
    directory, _, name = relative.rpartition(b"/")
    above, _, last = directory.rpartition(b"/")
    if last in _KEPT_APART:
        return Temporary("rsync", joined(above, name))
    for shape, writer in _SHAPES:
        if found := shape.fullmatch(name):
            return Temporary(writer, joined(directory, found["final"]))
    if found := _BY_SUFFIX.fullmatch(name):
        suffix = found["suffix"]
        final = joined(directory, found["final"])
        return Temporary(_SUFFIXES[suffix], final, telling=suffix not in _TOO_PLAIN)
    if found := _RANDOM.fullmatch(name):
        # A mix of small and capital letters; a short hash has none, and a date no letters.
        mixed = found["random"].lower() != found["random"] != found["random"].upper()
        writer, likely = "boto3 or the AWS command line", not found["random"].isdigit()
        return Temporary(writer, joined(directory, found["final"]), mixed, mixed, likely)
    if (found := _RSYNC.fullmatch(name)) and not found["random"].islower():
        certain = not found["random"].isdigit()
        return Temporary("rsync", joined(directory, found["final"]), certain, certain)
    return None


@dataclass(frozen=True, slots=True)
class Marked:
    """What a marker vouches for: the file at ``subject``, or all that lies in that directory."""

    subject: bytes
    directory: bool = False


def marked(relative: bytes) -> Marked | None:
    """None for what is shaped like no marker; whether its subject is there is not asked."""
    directory, _, name = relative.rpartition(b"/")
    found = MARKERS.fullmatch(name)
    if found is None:
        return None
    if not found["subject"]:
        return Marked(directory, directory=True)
    return Marked(joined(directory, found["subject"]))
