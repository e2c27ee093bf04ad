"""Serves the real image API on loopback, by the interpreter of its own environment.

Reads a wish from each line of its input, and fulfils it in a process of its own, whose pid it
answers: what is imported once need not be imported each time.  ``serve DIRECTORY`` serves what is
configured there, ``rows ...`` is for ``rows.py``.

While the file ``stop`` lies in that directory, whatever writes an image stops after its first
mebibyte and waits: an operation can be looked at, and killed, in the middle.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import glance.api.v2.router
import glance.async_.flows.api_image_import
import glance.async_.taskflow_executor
import glance.common.wsgi_app
import glance.db.sqlalchemy.api
import glance.image_cache
import glance_store._drivers.filesystem
import rows
from glance_store.common import utils
from waitress import create_server

MADE_READY = (glance, glance_store)
"""All that is imported above for the time that it takes."""
FIRST = 1 << 20
whole = utils.chunkreadable


def serve(top: str) -> None:
    stop = os.path.join(top, "stop")

    def stopping(source: Any, size: int = 65536) -> Iterator[bytes]:
        given = 0
        for chunk in whole(source, size):
            yield chunk
            given += len(chunk)
            while given >= FIRST and os.path.exists(stop):
                time.sleep(0.02)

    utils.chunkreadable = stopping
    os.environ["OS_GLANCE_CONFIG_DIR"] = os.path.join(top, "etc")
    from glance.wsgi.api import application

    server = create_server(
        application, host="127.0.0.1", port=0, threads=8, max_request_body_size=1 << 30
    )
    with open(os.path.join(top, "port.new"), "w") as file:
        file.write(str(server.effective_port))
    os.rename(os.path.join(top, "port.new"), os.path.join(top, "port"))
    server.run()


signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for line in sys.stdin:
    wish, *named = line.split()
    pid = os.fork()
    if not pid:
        folder = named[0] if wish == "serve" else os.path.dirname(named[0])
        log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        {"serve": serve, "rows": rows.make}[wish](*named)
        os._exit(1)
    print(pid, flush=True)
