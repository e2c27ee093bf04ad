"""Whether the process that a lock's record names still lives (DESIGN 6.3, reliability.md E4, E5).

A record is what anybody may have written: it only says where to look.  An owner is proven dead
by its whole identity alone (boot id, pid namespace, pid and start time), or by a restart of the
very computer that it names.  A pid alone can speak for *alive*, never for *dead*.  No signal is
ever sent; a process that may not be looked at is alive.
"""

from __future__ import annotations

import re
from typing import Final

from cachewright.holders.naming import name_of
from cachewright.holders.sightings import THIS_MACHINE, Machine, Sighting
from cachewright.model import Claim, Evidence, Holder, Says

__all__ = ["THIS_MACHINE", "Machine", "Sighting", "judge_owner"]

_FACT: Final = "owner"
_BOOT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LAST_PID: Final = 1 << 22
"""The greatest pid that Linux can be told to give."""
_SLACK_NS: Final = 1_000_000_000
"""Start times are known to a hundredth of a second, times of files to a few of them."""
_ELSEWHERE: Final = "Its owner ran on another computer, which cannot be asked from here."

Judged = tuple[Evidence, Holder | None]


def judge_owner(claim: Claim, machine: Machine = THIS_MACHINE, *, written_ns: int = 0) -> Judged:
    """What the record's owner speaks for, and its process if it is (or may be) alive.

    ``written_ns`` is when the record was last written at the latest; a process that runs under
    a bare pid and started after it is not taken for the owner.  ``Says.DEAD`` is proof: the
    computer was restarted, or the process with this whole identity is gone from a namespace of
    which every process shows.  Never raises, whatever the record says.
    """
    return _Case(claim, machine, written_ns).judge()


class _Case:
    """One record, compared with this computer."""

    def __init__(self, claim: Claim, machine: Machine, written_ns: int) -> None:
        self.claim = claim
        self.machine = machine
        self.written_ns = written_ns
        self.boot = claim.boot_id.strip().lower()
        known = bool(_BOOT.fullmatch(self.boot)) and bool(machine.boot_id)
        self.same_boot = known and self.boot == machine.boot_id
        self.other_boot = known and self.boot != machine.boot_id
        wanted = claim.machine.strip().lower()
        self.same_machine = bool(wanted) and wanted == machine.machine_id
        self.other_machine = bool(wanted) and bool(machine.machine_id) and not self.same_machine

    def judge(self) -> Judged:
        if not 0 <= self.claim.pid <= _LAST_PID:
            return _unknown("Its record names a process number that no process can have.")
        if self.other_boot:
            return self._before_this_boot()
        if self.other_machine and not self.same_boot:
            return _unknown(_ELSEWHERE)
        if not self.claim.pid:
            return _unknown("Its record does not say which process owns it.")
        return self._looked_for(self.machine.find(self.claim))

    def _before_this_boot(self) -> Judged:
        """The record names another boot than this one: of this computer, of another one, or of
        a container here that shows a boot id of its own (as systemd-nspawn does)."""
        if self.other_machine:
            return _unknown(_ELSEWHERE)
        if not self.same_machine:
            return _unknown(
                "Its owner ran before this computer was restarted, or on another one: its record "
                "does not say which computer it was."
            )
        claim, seen = self.claim, self.machine.find(self.claim)
        if seen.runs is None:
            return _unknown(seen.why)
        if seen.runs and (seen.holder is None or seen.why or not claim.start_ticks):
            return _unknown(f"Process {claim.pid} runs, and may be its owner in a container.")
        if seen.holder is not None and seen.holder.start_ticks == claim.start_ticks:
            name = name_of(seen.holder)
            return _alive(f"Its owner, {name}, runs in a container of its own.", seen.holder)
        return _dead("This computer was restarted since, so its owner cannot be alive.")

    def _looked_for(self, seen: Sighting) -> Judged:
        pid = self.claim.pid
        if seen.runs is None:
            return _unknown(seen.why)
        if not seen.runs:
            if self._whole:
                return _dead(f"Its owner, process {pid}, has ended.")
            return _unknown(f"No process {pid} runs here, but {self._lacking}.")
        if seen.holder is None:
            return _alive(f"Process {pid} runs and may not be looked at.", None)
        if self.claim.start_ticks and (self.same_boot or not self.boot):
            return self._by_start(seen, seen.holder)
        return self._by_pid_alone(seen.holder)

    @property
    def _whole(self) -> bool:
        claim = self.claim
        return bool(
            self.same_boot
            and not self.other_machine
            and claim.pid_namespace > 0
            and claim.start_ticks > 0
        )

    @property
    def _lacking(self) -> str:
        """Why a process that is not there proves nothing, as the end of a sentence."""
        if self.other_machine:
            return "its record names another computer"
        if not self.same_boot:
            return "its record does not say on which computer and since which restart it ran"
        if not self.claim.pid_namespace:
            return "its record does not say whether it ran in a container"
        return "its record does not say when it started"

    def _by_start(self, seen: Sighting, holder: Holder) -> Judged:
        """Whether the process that has the pid is the one that the record names."""
        pid = self.claim.pid
        if holder.start_ticks == self.claim.start_ticks:
            return _alive(f"Its owner, {name_of(holder)}, runs.", holder)
        if seen.why:
            return _unknown(seen.why)
        if self._whole:
            said = f"Its owner, process {pid}, has ended: another process has its number since."
            return _dead(said)
        return _unknown(f"Process {pid} is another one than its owner was, but {self._lacking}.")

    def _by_pid_alone(self, holder: Holder) -> Judged:
        name = name_of(holder)
        if self.written_ns and holder.started_ns > self.written_ns + _SLACK_NS:
            return _unknown(
                f"Another process has the number of its owner: {name} seems to have started after "
                "the lock was written."
            )
        return _alive(f"Its owner may be running: {name} has its number.", holder)


def _alive(said: str, holder: Holder | None) -> Judged:
    return Evidence(_FACT, Says.ALIVE, said), holder


def _dead(said: str) -> Judged:
    return Evidence(_FACT, Says.DEAD, said), None


def _unknown(said: str) -> Judged:
    return Evidence(_FACT, Says.UNKNOWN, said), None
