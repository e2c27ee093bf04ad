"""An S3 server on loopback that answers one request after the other; run as a script.

It says ``ready`` and its port, and ends with its input.  One at a time: so what it promises of
conditions is kept, whatever the library behind it does between threads.
"""

from __future__ import annotations

import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Say nothing of each request."""


if __name__ == "__main__":
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, request_handler=Quiet)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    print(f"ready {server.server_port}", flush=True)
    server.serve_forever()
    server.server_close()
