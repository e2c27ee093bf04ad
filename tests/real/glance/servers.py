"""A real PostgreSQL and a real MariaDB on loopback, in directories of their own, for one run."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

PASSWORD = "s3cret/of-the-tests"
QUOTED = "s3cret%2Fof-the-tests"


@dataclass
class Server:
    """A running server; ``address`` is what SQLAlchemy calls an empty database on it."""

    address: str
    process: subprocess.Popen[bytes]

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def program(name: str) -> str:
    """Where a server's program is; missing it fails under CI, which is meant to have it."""
    path = os.pathsep.join(
        (os.environ["PATH"], "/usr/sbin", *sorted(glob.glob("/usr/lib/postgresql/*/bin")))
    )
    found = shutil.which(name, path=path)
    if found is None:
        reason = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, but CI is meant to have it")
        pytest.skip(reason)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _home(owner: str) -> Iterator[tuple[Path, dict[str, object]]]:
    """A directory that the server's own user may use (neither runs as root), and who that is."""
    top = Path(tempfile.mkdtemp(prefix="cachewright-server-"))
    who: dict[str, object] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam(owner)
        os.chown(top, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    try:
        yield top, who
    finally:
        shutil.rmtree(top)


def _answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    engine = create_engine(address, poolclass=NullPool)
    end = time.monotonic() + 60
    while True:
        try:
            engine.connect().close()
        except SQLAlchemyError:
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < end, log.read_text()[-4000:]
            time.sleep(0.05)
        else:
            return


@contextmanager
def _running(
    command: list[str], top: Path, who: dict[str, object], address: str, end: signal.Signals
) -> Iterator[Server]:
    log = top / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=top, stdout=out, stderr=out, **who)  # type: ignore[call-overload]
    server = Server(address, process)
    try:
        _answers(address, process, log)
        yield server
    finally:
        server.go_on()
        process.send_signal(end)
        process.wait(60)


def _made(command: list[str], top: Path, who: dict[str, object]) -> None:
    done = subprocess.run(command, cwd=top, capture_output=True, timeout=110, check=False, **who)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def postgresql() -> Iterator[Server]:
    initdb, postgres = program("initdb"), program("postgres")
    with _home("postgres") as (top, who):
        secret = top / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = str(top / "data")
        _made(
            [initdb, "-D", data, "-U", "glance", "-A", "scram-sha-256", f"--pwfile={secret}",
             "--no-sync", "-E", "UTF8", "--no-locale"], top, who,
        )  # fmt: skip
        port = free_port()
        command = [postgres, "-D", data, "-F", "-p", str(port), "-k", str(top),
                   "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=20"]  # fmt: skip
        address = f"postgresql+psycopg2://glance:{QUOTED}@127.0.0.1:{port}/postgres"
        with _running(command, top, who, address, signal.SIGINT) as server:
            yield server


@contextmanager
def mariadb() -> Iterator[Server]:
    install, daemon = program("mariadb-install-db"), program("mariadbd")
    with _home("mysql") as (top, who):
        data = f"--datadir={top / 'data'}"
        first = top / "first.sql"
        first.write_text(
            "CREATE DATABASE glance CHARACTER SET utf8mb4;\n"
            f"CREATE USER 'glance'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON glance.* TO 'glance'@'127.0.0.1';\n"
        )
        first.chmod(0o644)
        _made(
            [install, "--no-defaults", data, "--auth-root-authentication-method=normal",
             "--skip-test-db", "--skip-name-resolve"], top, who,
        )  # fmt: skip
        port = free_port()
        command = [daemon, "--no-defaults", data, f"--port={port}", "--bind-address=127.0.0.1",
                   f"--socket={top / 'socket'}", f"--pid-file={top / 'pid'}",
                   f"--init-file={first}", "--skip-name-resolve",
                   "--innodb-flush-log-at-trx-commit=0"]  # fmt: skip
        address = f"mysql+pymysql://glance:{QUOTED}@127.0.0.1:{port}/glance"
        with _running(command, top, who, address, signal.SIGTERM) as server:
            yield server
