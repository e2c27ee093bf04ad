"""Whether anybody is there who does not show in the list of processes (DESIGN 6a, G)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from cachewright.errors import CachewrightError
from cachewright.holders import sole_opener
from cachewright.holders.mounts import mounts
from cachewright.holders.survey import below
from cachewright.model import Evidence, Says
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory


def ask_about_all(root: Directory, base: bytes, tree: Tree) -> Evidence:
    """Ask the kernel of every regular file whether anybody else has it open.

    ``alive`` at the first that somebody has open, ``unknown`` at the first that cannot be asked
    about, ``dead`` where nobody has any open.  Directories cannot be asked about.
    """
    fact, asked = "sole-opener", 0
    for row in range(len(tree)):
        if not tree.is_file(row):
            continue
        relative = os.path.join(base, tree.path(row)) if row else base
        alone, why = _ask(root, relative)
        if alone is False:
            said = f"{display(relative)} is open somewhere, says the kernel."
            return Evidence(fact, Says.ALIVE, said)
        if alone is None:
            said = f"The kernel could not be asked who has {display(relative)} open: {why}."
            return Evidence(fact, Says.UNKNOWN, said)
        asked += 1
    if not asked:
        return Evidence(fact, Says.DEAD, "There is no file in it that anybody could have open.")
    what = "its only file" if asked == 1 else f"any of its {asked} files"
    return Evidence(fact, Says.DEAD, f"The kernel says that nobody has {what} open.")


def _ask(root: Directory, relative: bytes) -> tuple[bool | None, str]:
    try:
        fd = root.open_file(relative)
    except (OSError, CachewrightError) as error:
        return None, getattr(error, "strerror", None) or "it could not be opened"
    try:
        return sole_opener(fd), "neither the file system nor our rights allow it"
    finally:
        os.close(fd)


def mounted_inside(path: bytes, tree: Tree) -> Evidence | None:
    """Something mounted in it is in use; what lies on another device was not looked into."""
    for mount in mounts():
        if below(mount.point, path):
            said = f"A file system is mounted at {display(mount.point)}."
            return Evidence("mounts", Says.ALIVE, said)
    others = np.flatnonzero(tree.device != tree.device[0])
    if len(others):
        where = display(tree.path(int(others[0])))
        said = f"{where} lies on another device and was not looked into."
        return Evidence("mounts", Says.UNKNOWN, said)
    return None
