"""Whether a recorded owner lives: real processes, in every state and namespace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachewright.holders import sightings
from cachewright.holders.owners import THIS_MACHINE, judge_owner
from cachewright.holders.sightings import ThisMachine
from cachewright.model import Claim, Says

if TYPE_CHECKING:
    from tests.unit.conftest import Other, Starter

Until = Callable[[Callable[[], object]], None]

ALIVE, DEAD, UNKNOWN = Says.ALIVE, Says.DEAD, Says.UNKNOWN
OTHER_BOOT = "01234567-89ab-4cde-8f01-23456789abcd"
THIRD_BOOT = "89abcdef-89ab-4cde-8f01-23456789abcd"
OTHER_MACHINE = "0123456789abcdef0123456789abcdef"
NESTED = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def start_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])


def claim_of(process: int, **other: Any) -> Claim:
    """What a process of this namespace would write of itself."""
    whole = Claim(
        machine=THIS_MACHINE.machine_id,
        boot_id=THIS_MACHINE.boot_id,
        pid_namespace=THIS_MACHINE.pid_namespace,
        pid=process,
        start_ticks=start_of(process),
    )
    return replace(whole, **other)


def says(claim: Claim, **how: Any) -> Says:
    evidence, holder = judge_owner(claim, **how)
    assert evidence.fact == "owner"
    assert evidence.detail[:1].isupper()
    assert evidence.detail.endswith(".")
    assert holder is None or evidence.says is ALIVE
    return evidence.says


class Faked(ThisMachine):
    """This computer with another identity."""

    def __init__(self, **known: Any) -> None:
        self.known = known

    @property
    def boot_id(self) -> str:
        return str(self.known.get("boot_id", super().boot_id))

    @property
    def machine_id(self) -> str:
        return str(self.known.get("machine_id", super().machine_id))

    @property
    def sees_all(self) -> bool:
        return bool(self.known.get("sees_all", super().sees_all))


@pytest.fixture
def sleeper(other: Starter) -> Other:
    return other("ready()")


def test_an_owner_that_runs_is_alive_and_named(sleeper: Other) -> None:
    evidence, holder = judge_owner(claim_of(sleeper.pid))
    assert evidence.says is ALIVE
    assert f"(pid {sleeper.pid})" in evidence.detail
    assert holder is not None
    assert (holder.pid, holder.how) == (sleeper.pid, ("owner",))
    assert holder.start_ticks == start_of(sleeper.pid)


def test_an_owner_that_ended_is_dead(sleeper: Other) -> None:
    claim = claim_of(sleeper.pid)
    sleeper.kill()
    assert says(claim) is DEAD


@pytest.fixture(params=["pidfd", "no pidfd"])
def with_or_without_pidfds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A sandbox may forbid them; then /proc alone has to tell."""
    if request.param == "no pidfd":

        def forbidden(_pid: int) -> int:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "pidfd_open", forbidden)
    return str(request.param)


@pytest.mark.usefixtures("with_or_without_pidfds")
def test_an_owner_that_nobody_buried_is_dead(sleeper: Other) -> None:
    claim = claim_of(sleeper.pid)
    sleeper.process.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert says(claim) is DEAD
    sleeper.end()
    assert says(claim) is DEAD


@pytest.mark.usefixtures("with_or_without_pidfds")
def test_an_owner_whose_main_thread_ended_is_alive(other: Starter, until: Until) -> None:
    one = other("""
import threading
threading.Thread(target=sys.stdin.read).start()
print('ready', flush=True)
ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[os.uname().machine], 0)
""")
    state = Path(f"/proc/{one.pid}/stat")
    until(lambda: b") Z " in state.read_bytes())
    for known in ({}, {"start_ticks": 0}):
        evidence, holder = judge_owner(claim_of(one.pid, **known))
        assert evidence.says is ALIVE
        assert holder is not None
        assert holder.pid == one.pid


def test_a_stopped_owner_is_alive(sleeper: Other) -> None:
    sleeper.stop()
    evidence, holder = judge_owner(claim_of(sleeper.pid))
    assert evidence.says is ALIVE
    assert "stopped" in evidence.detail
    assert holder is not None
    assert holder.state == "stopped"


def test_who_has_the_number_of_a_dead_owner_is_another(sleeper: Other) -> None:
    claim = claim_of(sleeper.pid, start_ticks=start_of(sleeper.pid) - 1)
    evidence, holder = judge_owner(claim)
    assert (evidence.says, holder) == (DEAD, None)
    assert "another process has its number" in evidence.detail


def test_a_thread_that_has_the_number_of_a_dead_owner_is_another() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        mine = claim_of(os.getpid(), pid=thread.native_id, start_ticks=start_of(thread.native_id))
        assert says(mine) is ALIVE
        assert says(replace(mine, start_ticks=1)) is DEAD
    finally:
        done.set()
        thread.join()


LACKING = [
    {"boot_id": ""},
    {"pid_namespace": 0},
    {"start_ticks": 0},
    {"boot_id": "", "start_ticks": 0},
    {"boot_id": "yesterday"},
    {"machine": OTHER_MACHINE},
    {"boot_id": "", "machine": "", "pid_namespace": 0, "start_ticks": 0},
]


@pytest.mark.parametrize("lacking", LACKING, ids=str)
def test_less_than_a_whole_identity_never_proves_death(
    sleeper: Other, lacking: dict[str, Any]
) -> None:
    claim = claim_of(sleeper.pid, **lacking)
    sleeper.kill()
    assert says(claim) is UNKNOWN


@pytest.mark.parametrize("lacking", LACKING[:-2], ids=str)
def test_less_than_a_whole_identity_speaks_for_alive(
    sleeper: Other, lacking: dict[str, Any]
) -> None:
    assert says(claim_of(sleeper.pid, **lacking)) is ALIVE


@pytest.mark.parametrize("lacking", [{"boot_id": ""}, {"pid_namespace": 0}], ids=str)
def test_another_start_without_the_rest_proves_nothing(
    sleeper: Other, lacking: dict[str, Any]
) -> None:
    assert says(claim_of(sleeper.pid, start_ticks=1, **lacking)) is UNKNOWN


def test_without_any_owner_nothing_is_known() -> None:
    assert says(Claim()) is UNKNOWN
    assert says(Claim(machine=THIS_MACHINE.machine_id, boot_id=THIS_MACHINE.boot_id)) is UNKNOWN


def test_a_process_that_started_after_the_lock_is_not_taken_for_its_owner(sleeper: Other) -> None:
    bare = Claim(pid=sleeper.pid)
    started_ns = judge_owner(bare)[1].started_ns  # type: ignore[union-attr]
    assert says(bare, written_ns=started_ns + 10**9) is ALIVE
    assert says(bare, written_ns=started_ns - 3 * 10**9) is UNKNOWN


@pytest.mark.parametrize(
    "odd",
    [
        {"pid": -1},
        {"pid": 10**30},
        {"pid": 0},
        {"pid": (1 << 22) + 1},
        {"pid": -1, "boot_id": OTHER_BOOT},
        {"boot_id": "0" * 36},
        {"boot_id": OTHER_BOOT + "\n\n" + OTHER_BOOT, "pid": 4_194_303},
    ],
    ids=str,
)
def test_nonsense_proves_nothing(odd: dict[str, Any]) -> None:
    claim = claim_of(os.getpid(), **{"start_ticks": 1, **odd})
    assert says(claim) is not DEAD


def test_an_identity_is_compared_without_its_spelling(sleeper: Other) -> None:
    shouted = THIS_MACHINE.boot_id.upper() + "\n"
    claim = claim_of(sleeper.pid, boot_id=shouted, machine=THIS_MACHINE.machine_id.upper())
    sleeper.kill()
    assert says(claim) is DEAD


@pytest.mark.parametrize(
    ("recorded", "here", "verdict"),
    [
        ({}, {"boot_id": OTHER_BOOT}, DEAD),
        ({"machine": ""}, {"boot_id": OTHER_BOOT}, UNKNOWN),
        ({"machine": OTHER_MACHINE}, {"boot_id": OTHER_BOOT}, UNKNOWN),
        ({}, {"boot_id": OTHER_BOOT, "machine_id": ""}, UNKNOWN),
        ({}, {"boot_id": OTHER_BOOT, "machine_id": OTHER_MACHINE}, UNKNOWN),
        ({}, {"boot_id": ""}, UNKNOWN),
        ({"pid_namespace": 1}, {"boot_id": OTHER_BOOT, "sees_all": True}, DEAD),
        ({"pid_namespace": 1}, {"boot_id": OTHER_BOOT, "sees_all": False}, UNKNOWN),
        ({"pid_namespace": 1}, {"sees_all": True}, DEAD),
        ({"pid_namespace": 1}, {"sees_all": False}, UNKNOWN),
    ],
    ids=str,
)
def test_a_restart_proves_death_on_the_same_computer_only(
    sleeper: Other, recorded: dict[str, Any], here: dict[str, Any], verdict: Says
) -> None:
    claim = claim_of(sleeper.pid, **recorded)
    sleeper.kill()
    assert says(claim, machine=Faked(**here)) is verdict


def test_after_a_restart_another_has_the_number(sleeper: Other) -> None:
    claim = claim_of(sleeper.pid, start_ticks=1)
    assert says(claim, machine=Faked(boot_id=OTHER_BOOT)) is DEAD


def test_another_computer_with_our_numbers_is_not_looked_for_here(sleeper: Other) -> None:
    claim = claim_of(sleeper.pid, machine=OTHER_MACHINE, boot_id="")
    assert says(claim) is UNKNOWN


NOBODY = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
ASK = """
import json, os, sys
from cachewright.holders.owners import judge_owner
from cachewright.model import Claim
claim = Claim(**json.loads(sys.argv[1]))
judge_owner(claim)  # all modules are loaded now, which another user might not be able to read
{become}
evidence, holder = judge_owner(claim)
print(evidence.says, evidence.detail)
"""


def asked(claim: Claim, *enter: str, become: str = "") -> str:
    """What another Cachewright says, started by ``enter`` or as somebody else."""
    known = {name: getattr(claim, name) for name in Claim.__slots__ if name != "owner"}
    code = ASK.format(become=become)
    command = [*enter, sys.executable, "-c", code, json.dumps(known)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if enter and "unshare" in done.stderr:
        pytest.skip("may not make a namespace")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("only_root")
def test_a_process_of_another_user_is_alive(sleeper: Other) -> None:
    assert asked(claim_of(sleeper.pid), become=NOBODY).startswith("alive")
    assert asked(claim_of(sleeper.pid, start_ticks=1), become=NOBODY).startswith("dead")


HIDING = f"""
import subprocess
subprocess.run(["mount", "-t", "proc", "-o", "hidepid=invisible", "proc", "/proc"], check=True)
{NOBODY}
"""


@pytest.mark.usefixtures("only_root")
def test_a_process_that_is_hidden_is_alive(sleeper: Other) -> None:
    enter = ["unshare", "--mount", "--propagation", "private"]
    said = asked(claim_of(sleeper.pid), *enter, become=HIDING)
    assert said.startswith("alive")
    assert "may not be looked at" in said
    claim = claim_of(sleeper.pid)
    sleeper.kill()
    assert asked(claim, *enter, become=HIDING).startswith("dead")


class Contained:
    """A process in a container, as it tells of itself from inside."""

    def __init__(self, enter: list[str]) -> None:
        if not shutil.which("unshare") or subprocess.run([*enter, "true"], check=False).returncode:
            pytest.skip("may not make a namespace")
        code = (
            "import os, sys; stat = open('/proc/self/stat', 'rb').read().rpartition(b')')[2];"
            "print(os.getpid(), int(stat.split()[19]), os.stat('/proc/self/ns/pid').st_ino,"
            "open('/proc/sys/kernel/random/boot_id').read().strip(), flush=True);"
            "sys.stdin.read()"
        )
        # One more process before it, so that its pid is neither 1 nor like ours.
        inner = ["sh", "-c", 'true & wait; "$@"; true', "sh", sys.executable, "-S", "-c", code]
        self.process = subprocess.Popen(
            [*enter, *inner], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        pid, start, namespace, boot = self.process.stdout.readline().split()
        self.claim = Claim(
            machine=THIS_MACHINE.machine_id,
            boot_id=boot,
            pid_namespace=int(namespace),
            pid=int(pid),
            start_ticks=int(start),
        )

    def end(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def contain(request: pytest.FixtureRequest) -> Callable[..., Contained]:
    def start(enter: list[str]) -> Contained:
        one = Contained(enter)
        request.addfinalizer(one.end)
        return one

    return start


@pytest.mark.usefixtures("only_root")
def test_an_owner_in_a_container_is_found_from_outside(
    contain: Callable[..., Contained], until: Until
) -> None:
    one = contain(NESTED)
    claim = one.claim
    assert claim.pid_namespace != THIS_MACHINE.pid_namespace
    evidence, holder = judge_owner(claim)
    assert evidence.says is ALIVE
    assert holder is not None
    assert holder.pid != claim.pid
    assert holder.start_ticks == claim.start_ticks
    assert says(replace(claim, start_ticks=1)) is DEAD
    assert says(replace(claim, pid=claim.pid + 1)) is DEAD
    assert says(claim, machine=Faked(sees_all=False)) is UNKNOWN
    one.end()
    until(lambda: says(claim) is DEAD)


@pytest.mark.usefixtures("only_root")
def test_containers_with_the_same_numbers_are_told_apart(
    contain: Callable[..., Contained], until: Until
) -> None:
    first, second = contain(NESTED), contain(NESTED)
    assert first.claim.pid == second.claim.pid
    assert (says(first.claim), says(second.claim)) == (ALIVE, ALIVE)
    first.end()
    until(lambda: says(first.claim) is DEAD)
    assert says(second.claim) is ALIVE


def test_who_is_in_no_container_is_no_owner_from_before_a_restart(
    sleeper: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "pids", lambda: iter([sleeper.pid]))
    here = Faked(boot_id=OTHER_BOOT, sees_all=True)
    for pid in (0, sleeper.pid):
        claim = claim_of(sleeper.pid, pid=pid, pid_namespace=0, start_ticks=0, boot_id=THIRD_BOOT)
        assert says(claim, machine=here) is DEAD


@pytest.mark.usefixtures("only_root")
def test_an_owner_in_a_container_is_found_without_rights(
    contain: Callable[..., Contained],
) -> None:
    """Its namespace may not be asked for; its start and its inner pid may be read by all."""
    one = contain(NESTED)
    assert asked(one.claim, become=NOBODY).startswith("alive")
    assert asked(replace(one.claim, start_ticks=1), become=NOBODY).startswith("dead")


@pytest.mark.usefixtures("only_root")
def test_from_another_container_nothing_can_be_told(sleeper: Other) -> None:
    assert asked(claim_of(sleeper.pid), *NESTED).startswith("unknown")


@pytest.mark.usefixtures("only_root")
def test_foreign_numbers_in_proc_are_not_believed(sleeper: Other) -> None:
    """In a pid namespace with the /proc of the one outside, every number is another's."""
    script = """
import os
claim = Claim(boot_id=claim.boot_id, pid=os.getpid(), start_ticks=1,
    pid_namespace=os.stat("/proc/self/ns/pid").st_ino)
"""
    enter = ["unshare", "--pid", "--fork", "--kill-child"]
    said = asked(claim_of(sleeper.pid), *enter, become=script)
    assert said.startswith("unknown")


@pytest.mark.usefixtures("only_root")
def test_a_clock_of_its_own_proves_nothing(contain: Callable[..., Contained]) -> None:
    """In a time namespace every start time is told with an offset."""
    one = contain(["unshare", "--time", "--boottime", "100000", "--fork", "--kill-child"])
    assert one.claim.start_ticks != start_of(one.claim.pid)
    assert says(one.claim) is UNKNOWN


@pytest.mark.usefixtures("only_root")
@pytest.mark.parametrize("lacking", [{}, {"pid_namespace": 0}, {"start_ticks": 0}], ids=str)
def test_a_boot_id_of_its_own_is_no_restart(
    contain: Callable[..., Contained], tmp_path: Path, lacking: dict[str, Any]
) -> None:
    """A container may show another boot id, and the id of the computer that it runs on."""
    (tmp_path / "boot").write_text(OTHER_BOOT)
    cover = 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'
    one = contain([*NESTED, "sh", "-c", cover, "sh", str(tmp_path / "boot")])
    assert one.claim.boot_id == OTHER_BOOT
    claim = replace(one.claim, **lacking)
    assert says(claim) is (UNKNOWN if "start_ticks" in lacking else ALIVE)
    assert says(replace(claim, pid=0)) is UNKNOWN
    assert says(replace(claim, pid=claim.pid + 1)) is DEAD


def test_a_reused_number_never_mixes_two_processes(
    sleeper: Other, other: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner ends right before it is read, and another process is read under its number."""
    claim = claim_of(sleeper.pid)
    second = other("ready()")
    real = sightings._read

    def read(pid: int) -> Any:
        assert pid == sleeper.pid
        sleeper.kill()
        return real(second.pid)

    monkeypatch.setattr(sightings, "_read", read)
    assert says(replace(claim, start_ticks=start_of(second.pid))) is DEAD


def test_no_signal_is_sent(sleeper: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: object) -> None:
        pytest.fail("a signal")

    for name in ("kill", "killpg"):
        monkeypatch.setattr(os, name, never)
    monkeypatch.setattr(signal, "pidfd_send_signal", never)
    assert says(claim_of(sleeper.pid)) is ALIVE
    monkeypatch.undo()


def test_the_installations_id_is_a_whole_one_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = open
    for content, wanted in (("", ""), ("uninitialized\n", ""), (OTHER_MACHINE, OTHER_MACHINE)):
        (tmp_path / "id").write_text(content)

        def opened(path: str, *how: Any, **more: Any) -> Any:
            return real(tmp_path / "id" if path == "/etc/machine-id" else path, *how, **more)

        monkeypatch.setattr("builtins.open", opened)
        sightings._machine_id.cache_clear()
        assert THIS_MACHINE.machine_id == wanted
    monkeypatch.undo()
    sightings._machine_id.cache_clear()
