"""A package index on loopback: a folder of wheels, some of which it sends only in part."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

_PATIENCE_S = 60.0


class Index:
    """Serves ``folder``.  Of wheels in ``slow`` it sends the first half, sets ``halfway``, and
    goes on once ``go_on`` is set.  ``asked`` are the paths that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slow: set[str] = set()
        self.asked: list[str] = []
        self.halfway = threading.Event()
        self.go_on = threading.Event()
        index = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def do_GET(self) -> None:
                index.asked.append(self.path)
                index.answer(self)

            def log_message(self, *_arguments: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/simple"

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = [part for part in request.path.split("/") if part]
        if len(parts) == 2 and parts[0] == "simple":
            return _send(request, self._page(parts[1]).encode(), "text/html")
        if len(parts) == 2 and parts[0] == "files":
            name = parts[1].removesuffix(".metadata")
            wheel = self.folder / name
            if wheel.is_file():
                if parts[1].endswith(".metadata"):
                    return _send(request, _metadata(wheel), "text/plain")
                return self._send_wheel(request, wheel)
        return _send(request, b"", "text/plain", 404)

    def _page(self, project: str) -> str:
        links = []
        for wheel in sorted(self.folder.glob("*.whl")):
            if wheel.name.partition("-")[0].replace("_", "-") == project:
                sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
                of_metadata = hashlib.sha256(_metadata(wheel)).hexdigest()
                links.append(
                    f'<a href="/files/{wheel.name}#sha256={sha256}" '
                    f'data-core-metadata="sha256={of_metadata}">{wheel.name}</a>'
                )
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"

    def _send_wheel(self, request: BaseHTTPRequestHandler, wheel: Path) -> None:
        content = wheel.read_bytes()
        if wheel.name not in self.slow:
            return _send(request, content, "application/octet-stream")
        half = len(content) // 2
        _begin(request, len(content), "application/octet-stream")
        try:
            request.wfile.write(content[:half])
            request.wfile.flush()
            self.halfway.set()
            self.go_on.wait(_PATIENCE_S)
            request.wfile.write(content[half:])
        except OSError:
            request.close_connection = True  # whoever asked was killed
        return None


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as opened:
        name = next(one for one in opened.namelist() if one.endswith(".dist-info/METADATA"))
        return opened.read(name)


def _begin(request: BaseHTTPRequestHandler, length: int, kind: str, status: int = 200) -> None:
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(length))
    request.send_header("Cache-Control", "max-age=3600")
    request.end_headers()


def _send(request: BaseHTTPRequestHandler, content: bytes, kind: str, status: int = 200) -> None:
    _begin(request, len(content), kind, status)
    request.wfile.write(content)
