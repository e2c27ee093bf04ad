"""What each page says while it has no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachewright_gui.state import State

if TYPE_CHECKING:
    from cachewright_gui.pages.cache_page import CachePage


def show_empty(page: CachePage, state: State) -> None:
    """Say it in the words of this state: not looked yet, or looked and found none."""
    lists = (page.problems.view, page.locks.view, page.staging.view)
    if state.is_store:
        files = ("There are no files here.", "A store of locks has no tree. See the Locks page.")
    else:
        files = ("The cache is empty.", "")
    page.contents.view.set_empty(*files)
    if state.result is None:
        words = _unlooked(state)
        for view in lists:
            view.set_empty(*words)
        if state.busy and not state.is_store:
            page.contents.view.set_empty("Scanning…")
        return
    unseen = "" if state.result.complete else "Not everything could be read."
    page.problems.view.set_empty("No problems found.", unseen)
    page.locks.view.set_empty("No locks.", unseen or _no_locks(state))
    page.staging.view.set_empty("No staging.", _no_staging(state))


def _unlooked(state: State) -> tuple[str, str]:
    if state.busy:
        return "Looking…", "What is found appears here while the work runs."
    again = "Look again (F5) asks for the locks." if state.only_locks else ""
    return "Not looked at yet.", again or "Verify all (F5) looks at everything."


def _no_locks(state: State) -> str:
    if state.is_store:
        return "Nobody has left a lock here."
    place = "project folder" if state.only_locks else "cache"
    return f"This {place} has no locks now."


def _no_staging(state: State) -> str:
    if state.only_locks:
        return "Only locks are looked for here."
    return "No writer has left anything behind."
