"""``cachewright plan ROOT``: the repairs that the findings allow, written down."""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from cachewright.cli import exit_code, output, session
from cachewright.cli.options import Look, Verb, as_json, cache, place
from cachewright.model import CheckResult, FindingKind, StepKind
from cachewright.text import display

if TYPE_CHECKING:
    from cachewright.model import Plan
    from cachewright.workbench import Bench

_KINDS: Final[dict[str, StepKind | FindingKind]] = {
    one.value: one for one in (*StepKind, *FindingKind)
}


def _kind(value: str) -> StepKind | FindingKind:
    """A step such as ``quarantine-staging`` or a finding such as ``corrupt-entry``."""
    kind = _KINDS.get(value)
    if kind is None:
        known = ", ".join(_KINDS)
        named = f"'{display(value)}'"
        raise click.BadParameter(f"{named} is no kind of step or finding. Known: {known}.")
    return kind


@dataclass(frozen=True, slots=True)
class Wish:
    """Which of the possible repairs are wanted; all of them where nothing was said."""

    kinds: tuple[StepKind | FindingKind, ...]
    finding_ids: tuple[str, ...]
    stale: bool

    @property
    def said(self) -> bool:
        return bool(self.kinds or self.finding_ids or self.stale)

    def plan(self, bench: Bench, result: CheckResult) -> Plan:
        """The plan for what was just checked; unknown finding IDs are a usage error."""
        known = {one.id for one in result.findings}
        unknown = [one for one in self.finding_ids if one not in known]
        if unknown:
            raise click.UsageError(f"No finding has the ID {unknown[0]} now.")
        steps = {one for one in self.kinds if isinstance(one, StepKind)}
        return bench.plan(
            only=steps or None, stale_only=self.stale, findings=self._findings(result)
        )

    def _findings(self, result: CheckResult) -> Collection[str] | None:
        kinds = {one for one in self.kinds if isinstance(one, FindingKind)}
        if not kinds and not self.finding_ids:
            return None
        by_kind = {one.id for one in result.findings if one.kind in kinds}
        return by_kind | set(self.finding_ids)


def wished(verb: Verb) -> Verb:
    """``--only``, ``--finding`` and ``--stale``, handed over as ``wish``."""

    @functools.wraps(verb)
    def with_wish(
        *,
        kinds: tuple[StepKind | FindingKind, ...],
        finding_ids: tuple[str, ...],
        stale: bool,
        **others: object,
    ) -> int:
        return verb(wish=Wish(kinds, finding_ids, stale), **others)

    decorated: Verb = with_wish
    for option in (
        click.option(
            "--stale", is_flag=True, help="Only locks and staging proven to be left behind."
        ),
        click.option(
            "--finding",
            "finding_ids",
            multiple=True,
            metavar="ID",
            help="Only the finding with this ID (repeatable).",
        ),
        click.option(
            "--only",
            "kinds",
            type=_kind,
            multiple=True,
            metavar="KIND",
            help="Only steps or findings of this kind (repeatable).",
        ),
    ):
        decorated = option(decorated)
    return decorated


@click.command()
@cache
@wished
@click.option("-o", "file", type=place, metavar="FILE", help="Write the plan to this file.")
@as_json
def plan(*, look: Look, wish: Wish, file: bytes | None, as_json: bool) -> int:
    """Check the cache ROOT and write down the repairs that its findings allow.

    Nothing is changed. The plan is for `cachewright repair ROOT --plan FILE`, or for the window.
    """
    from cachewright.repair import plan_file

    with session.opened(look) as bench:
        result = session.checked(bench)
        made = wish.plan(bench, result)
    if file is not None:
        _save(made, file)
    if as_json:
        output.emit(plan_file.document(made))
    else:
        from cachewright.cli import wording

        output.say(wording.plan(made))
    return exit_code.of_look(result)


def _save(made: Plan, file: bytes) -> None:
    from cachewright.repair import plan_file

    try:
        plan_file.save(made, file)
    except OSError as error:
        reason = f"{display(file)} cannot be written: {error.strerror}."
        raise click.BadParameter(reason, param_hint="-o") from None
