"""The lines of the sidebar, made of what was found, opened before and is open now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cachewright.model import EntryVerdict, Location
from cachewright_gui import wording
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
    """Headings and caches; a cache that was found is not named again among the recent."""
    made = [Place("On this computer")]
    made += [_line(one.name, one.root, one.format, states) for one in found]
    if not found:
        made.append(Place("Looking…" if searching else "None found", note=True))
    known = {one.root for one in found}
    others = _unique(recent, states, known)
    if others:
        made.append(Place("Recent"))
        made += [_line(title, root, None, states) for root, title in others.items()]
    return made


def _unique(
    recent: Iterable[Recent], states: Mapping[bytes, State], known: set[bytes]
) -> dict[bytes, str]:
    others = {one.root: one.title for one in recent if one.root not in known}
    for root, state in states.items():
        if root not in known:
            others.setdefault(root, state.title)
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


def _detail(state: State, path: str) -> str:
    if state.phase is Phase.FAILED:
        return path
    if state.busy and state.progress is not None:
        done = share(state.progress)
        percent = f" {done:.0%}" if done is not None else ""
        return f"{running_words(state)}{percent}"
    if state.inventory is None or not len(state.inventory):
        return path
    size = wording.size(int(state.inventory.bytes_below[0]))
    return f"{size}, {wording.plural(sum(state.counts.values()), 'entry', 'entries')}"
