"""A window over a scripted backend: errors, slow work and hostile names on demand.

The real workbench is driven by tests/real/test_window_xvfb.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cachewright.model import (
    CancelToken,
    CheckResult,
    EntryVerdict,
    Finding,
    HoldVerdict,
    Identity,
    Location,
    LockReport,
    Outcome,
    Plan,
    PlanStep,
    Progress,
    RepairOffer,
    Result,
    StepKind,
)
from cachewright.repair.unlocking import unlock_plan
from cachewright.workbench import HistoryItem, Options, Watcher
from cachewright_gui import theme
from cachewright_gui.store import Recent, Store
from cachewright_gui.window import MainWindow

NOBODY = Identity(1, 1, 0o100644, 0, 0, 0)
Script = Any
"""The script of the folder above, by which the stand-in answers."""


class ScriptedBench:
    """Answers as a workbench does, from a script."""

    format_name = "terraform"
    in_database = False

    def __init__(self, script: Script) -> None:
        self.script = script
        self.title = script.title
        self.root = script.root
        self.tree = script.tree

    def check(
        self, watcher: Watcher | None = None, cancel: CancelToken | None = None
    ) -> CheckResult:
        script = self.script
        script.calls.append("check")
        script.reached.clear()
        script.ended.clear()
        assert watcher is not None
        assert cancel is not None
        try:
            return self._check(script, watcher, cancel)
        finally:
            script.ended.set()

    @staticmethod
    def _check(script: Script, watcher: Watcher, cancel: CancelToken) -> CheckResult:
        watcher.progress(Progress("scan", 10))
        if script.tree is not None:
            watcher.tree(script.tree)
        unchecked = [replace(one, verdict=EntryVerdict.UNCHECKED) for one in script.entries]
        watcher.entries(unchecked)
        half = len(script.entries) // 2
        watcher.entries(script.entries[:half])
        watcher.findings(script.findings[:1])
        watcher.locks(script.locks)
        total = sum(one.size for one in script.entries)
        watcher.progress(Progress("verify", half, len(script.entries), total // 2, total))
        script.reached.set()
        if script.gate is not None:
            while not script.gate.wait(0.005):
                cancel.check()
            cancel.check()
        if script.check_error is not None:
            raise script.check_error
        watcher.entries(script.entries)
        watcher.staging(script.staging)
        watcher.findings(script.findings)
        return script.result()

    @property
    def holds_entries(self) -> bool:
        return self.script.holds_entries

    def locks(self) -> tuple[LockReport, ...]:
        self.script.polls += 1
        if self.script.locks_error is not None:
            raise self.script.locks_error
        return self.script.locks

    def notes(self) -> tuple[str, ...]:
        return self.script.notes

    def unlocking(self, lock: LockReport) -> Plan:
        return unlock_plan(self.root, "terraform", lock)

    def plan(
        self,
        *,
        only: Collection[StepKind] | None = None,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
    ) -> Plan:
        steps = []
        for finding in self.script.findings:
            for offer in finding.repairs:
                if findings is not None and finding.id not in findings:
                    continue
                if only is not None and offer.step not in only:
                    continue
                if stale_only and finding.verdict is not HoldVerdict.STALE:
                    continue
                steps.append(step_of(finding, offer))
                break
        return Plan(self.root, "terraform", tuple(steps))

    def repair(
        self,
        plan: Plan,
        *,
        apply: bool,
        confirmations: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Outcome, ...]:
        del watcher, cancel
        assert apply
        self.script.calls.append("repair")
        self.script.applied.append((plan, dict(confirmations or {})))
        if self.script.outcomes is not None:
            return self.script.outcomes
        return tuple(
            Outcome(one.step, one.path, Result.DONE, "", f"op-{one.id}", one.subject)
            for one in plan.steps
        )

    def close(self) -> None:
        self.script.closed += 1


class ScriptedBackend:
    """Opens scripted benches by root."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = {one.root: one for one in scripts}
        self.first = scripts[0]

    def open(self, root: bytes, format_name: str | None, options: Options) -> ScriptedBench:
        del format_name, options
        script = self.scripts[root]
        if script.open_error is not None:
            raise script.open_error
        return ScriptedBench(script)

    def formats(self) -> tuple[tuple[str, str], ...]:
        return (("terraform", "Terraform providers"), ("opentofu", "OpenTofu providers"))

    def discover(self) -> tuple[Location, ...]:
        return self.first.found

    def history(self) -> tuple[HistoryItem, ...]:
        if self.first.history_error is not None:
            raise self.first.history_error
        return self.first.history

    def recover(self) -> tuple[Outcome, ...]:
        return self.first.recovered

    def undo(self, operation: str | None) -> Outcome:
        self.first.undone.append(operation)
        return Outcome(
            StepKind.QUARANTINE_STAGING, b"/x", Result.DONE, "", subject=".terraform-temp"
        )


def step_of(finding: Finding, offer: RepairOffer) -> PlanStep:
    return PlanStep(
        id=f"s-{finding.id}",
        step=offer.step,
        subject=finding.subject,
        path=finding.path,
        identity=NOBODY,
        confirm=offer.confirm,
        why=offer.why,
        source=offer.source,
        size=finding.size,
    )


class Opener(Protocol):
    def __call__(self, *scripts: Script, wait: bool = True) -> MainWindow: ...


@pytest.fixture
def opened(qtbot: QtBot, qapp: QApplication) -> Iterator[Opener]:
    """Open a window on the first script's root; waits for the check unless told not to."""
    theme.apply(qapp, theme.Choice.LIGHT)
    windows: list[MainWindow] = []

    def make(*scripts: Script, wait: bool = True) -> MainWindow:
        window = MainWindow(ScriptedBackend(*scripts), Store(), Options(environment={}))
        windows.append(window)
        qtbot.addWidget(window)
        window.show()
        window.open_root(Recent(scripts[0].root))
        if wait:
            qtbot.waitUntil(lambda: at_rest(window), timeout=10_000)
        return window

    yield make
    for window in windows:
        for script in [one for one in scripts_of(window) if one.gate is not None]:
            assert script.gate is not None
            script.gate.set()
        window.close()


def scripts_of(window: MainWindow) -> Sequence[Script]:
    backend = window._backend
    assert isinstance(backend, ScriptedBackend)
    return tuple(backend.scripts.values())


def at_rest(window: MainWindow) -> bool:
    session = window.session
    return session is not None and not session.state.busy and not window.searching


@pytest.fixture
def backend_of() -> Callable[..., ScriptedBackend]:
    return ScriptedBackend
