"""The lines of the sidebar, made of what was found, opened before and is open now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cachewright.model import EntryVerdict, HoldVerdict, Location
from cachewright.text import is_address
from cachewright_gui import lock_words, wording
from cachewright_gui.icons import VERDICT_ICON
from cachewright_gui.models.lists import shown_path
from cachewright_gui.state import Phase, State
from cachewright_gui.store import Recent
from cachewright_gui.theme import TONE, Tone
from cachewright_gui.widgets.header import count_problems
from cachewright_gui.widgets.progress_strip import running_words, share
from cachewright_gui.widgets.sidebar import Place


def lines(
    found: Sequence[Location],
    recent: Sequence[Recent],
    states: Mapping[bytes, State],
    *,
    searching: bool,
) -> list[Place]:
    """Headings and places.  Where only locks can lie, and what has its records in a database,
    stands apart from caches; what was found is not named again among the recent."""
    others = _others(recent, states, {one.root for one in found})
    apart = {root for root, one in others.items() if one.only_locks}
    apart |= {root for root, state in states.items() if state.only_locks}
    made = [Place("On this computer")]
    made += [
        _line(one.name, one.root, one.format, states) for one in found if one.root not in apart
    ]
    if len(made) == 1:
        made.append(Place("Looking…" if searching else "None found", note=True))
    named = {one.root: one.name for one in found} | {r: one.title for r, one in others.items()}
    locks = [root for root in named if root in apart]
    if locks:
        made.append(Place("State locks"))
        made += [_lock_line(root, states) for root in locks]
    databases = {root for root, one in others.items() if one.in_database}
    databases |= {root for root, state in states.items() if state.in_database}
    kept = [root for root in others if root in databases]
    if kept:
        made.append(Place("Databases"))
        made += [_line(named[root], root, None, states) for root in kept]
    rest = [root for root in others if root not in apart | databases]
    if rest:
        made.append(Place("Recent"))
        made += [_line(named[root], root, None, states) for root in rest]
    return made


def _others(
    recent: Sequence[Recent], states: Mapping[bytes, State], known: Collection[bytes]
) -> dict[bytes, Recent]:
    """What was opened before or is open now, and was not found by itself."""
    others = {one.root: one for one in recent if one.root not in known}
    for root, state in states.items():
        if root not in known:
            opened = Recent(
                root, state.title, only_locks=state.only_locks, in_database=state.in_database
            )
            others.setdefault(root, opened)
    return others


def _line(title: str, root: bytes, format_name: str | None, states: Mapping[bytes, State]) -> Place:
    path = shown_path(root)
    state = states.get(root)
    if state is None:
        return Place(title or path, root, format_name, path, state_word="not looked at", path=path)
    icon, tone, word = _condition(state)
    return Place(
        state.title or title or path,
        root,
        format_name,
        _detail(state, path),
        icon,
        tone,
        word,
        count_problems(state),
        path,
    )


def _lock_line(root: bytes, states: Mapping[bytes, State]) -> Place:
    """A store or project folder, known by its address rather than by its kind."""
    path = shown_path(root)
    state = states.get(root)
    if state is None:
        detail = "Store of locks" if is_address(root) else "Project folder"
        return Place(path, root, None, detail, state_word="not looked at", path=path)
    icon, tone, word = _lock_condition(state)
    detail = _running(state) or word
    return Place(path, root, None, detail, icon, tone, word, count_problems(state), path)


def _condition(state: State) -> tuple[str, Tone, str]:
    """Icon, tone and word of the worst that is known."""
    if state.phase is Phase.FAILED:
        return "failed", Tone.BAD, "could not be opened"
    problems = count_problems(state)
    if problems:
        return "problem", Tone.BAD, wording.plural(problems, "problem", "problems")
    worst = next((one for one in wording.WORST_FIRST if state.counts[one] > 0), None)
    if worst is None:
        return VERDICT_ICON[EntryVerdict.UNCHECKED], Tone.NEUTRAL, "not looked at"
    return VERDICT_ICON[worst], TONE[worst], wording.HEALTH_PHRASE[worst]


def _lock_condition(state: State) -> tuple[str, Tone, str]:
    """Likewise of locks."""
    if state.phase is Phase.FAILED:
        return "failed", Tone.BAD, "could not be opened"
    if state.result is None and not state.locks:
        return VERDICT_ICON[EntryVerdict.UNCHECKED], Tone.NEUTRAL, "not looked at"
    words = lock_words.summary(state.locks)
    here = {one.verdict for one in state.locks}
    worst = next((one for one in lock_words.PHRASE if one in here), HoldVerdict.FREE)
    return VERDICT_ICON[worst], TONE[worst], words


def _running(state: State) -> str:
    if not state.busy or state.progress is None:
        return ""
    done = share(state.progress)
    percent = f" {done:.0%}" if done is not None else ""
    return f"{running_words(state)}{percent}"


def _detail(state: State, path: str) -> str:
    if state.phase is Phase.FAILED:
        return path
    running = _running(state)
    if running:
        return running
    if state.inventory is None or not len(state.inventory):
        return path
    size = wording.size(int(state.inventory.bytes_below[0]))
    return f"{size}, {wording.plural(sum(state.counts.values()), 'entry', 'entries')}"
