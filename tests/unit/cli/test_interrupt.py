from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from cachewright.cli.interrupt import cancellable, unwinding

WAITS_POLITELY = """
import sys
from cachewright.cli.interrupt import cancellable
from cachewright.errors import Cancelled
with cancellable() as token:
    print("ready", flush=True)
    try:
        token.wait(60)
    except Cancelled:
        print("stopped", flush=True)
"""

DOES_NOT_LISTEN = """
import sys, time
from cachewright.cli.interrupt import cancellable
with cancellable() as token:
    print("ready", flush=True)
    while not token.cancelled:
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep(60)
"""


def started(program: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_to_stop(number: signal.Signals) -> None:
    with started(WAITS_POLITELY) as process:
        process.send_signal(number)
        told, _ = process.communicate(timeout=60)
    assert (told, process.returncode) == (b"stopped\n", 0)


def test_the_second_signal_ends_at_once() -> None:
    with started(DOES_NOT_LISTEN) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == b"asked\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with cancellable() as token:
        assert signal.getsignal(signal.SIGINT) is not before
        signal.raise_signal(signal.SIGTERM)
        assert token.cancelled
    assert signal.getsignal(signal.SIGINT) is before


SWALLOWS_WHAT_IS_RAISED = """
import os
from cachewright.cli.interrupt import ending_at_once
def tidy():
    os.write(1, b"tidied\\n")
with ending_at_once(tidy):
    print("ready", flush=True)
    while True:
        try:
            for _ in range(1000):
                pass
        except BaseException:
            pass
"""


def test_an_event_loop_cannot_swallow_the_end() -> None:
    with started(SWALLOWS_WHAT_IS_RAISED) as process:
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=60)
    assert (told, process.returncode) == (b"tidied\n", 130)


def test_a_plain_kill_can_unwind() -> None:
    with pytest.raises(KeyboardInterrupt), unwinding():
        signal.raise_signal(signal.SIGTERM)
