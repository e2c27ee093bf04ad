"""A little server between us and a store: it counts what is asked, and answers as it is told."""

from __future__ import annotations

import http.client
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request: ``key`` is the object's name, ``target`` what DynamoDB is asked to do."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return unquote(self.path.lstrip("/").partition("/")[2])

    @property
    def target(self) -> str:
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    def without(self, *names: str) -> Asked:
        """The same without some headers, as a store that does not know them reads it."""
        kept = {name: value for name, value in self.headers.items() if name not in names}
        return Asked(self.method, self.path, self.query, kept, self.body)

    def asking(self, query: str) -> Asked:
        return Asked(self.method, self.path, query, self.headers, self.body)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def error(status: int, code: str, message: str = "said the test") -> Reply:
    """How S3 says that something is wrong."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, body.encode(), {"Content-Type": "application/xml"})


def error_json(status: int, code: str) -> Reply:
    """How DynamoDB does."""
    body = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "said the test"}}'
    return Reply(status, body.encode(), {"Content-Type": "application/x-amz-json-1.0"})


HTML = Reply(
    200, b"<html><body>Welcome. Please log in.</body></html>", {"Content-Type": "text/html"}
)
SHORT = Reply(200, b"<?xml", {"Content-Length": "500", "Connection": "close"})
"""An answer that ends before its end."""
SILENCE = Reply(-1)
"""Nothing is answered, for as long as the server lives."""
CUT = Reply(-2)
"""The connection is closed without an answer."""
DRIP = Reply(-3)
"""An answer begins, and goes on a byte at a time for as long as the server lives."""


@dataclass
class Wire:
    """``rule`` says what becomes of a request: an answer, or None to pass it on; it may pass on
    another one, or the same by itself, with ``forward``."""

    endpoint: str = ""
    behind: str = ""
    rule: Callable[[Asked], Reply | None] = lambda _asked: None
    asked: list[Asked] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def forward(self, asked: Asked) -> Reply:
        parts = urlsplit(self.behind)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            skipped = {"host", "expect", "connection"}
            headers = {n: v for n, v in asked.headers.items() if n not in skipped}
            where = asked.path + (f"?{asked.query}" if asked.query else "")
            connection.request(asked.method, where, body=asked.body or None, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            dropped = {"connection", "transfer-encoding", "content-length", "server"}
            kept = {n: v for n, v in answer.getheaders() if n.lower() not in dropped}
            return Reply(answer.status, body, kept)
        finally:
            connection.close()

    def of(self, method: str, key: str | None = None) -> list[Asked]:
        """The requests so far with this method, for this object."""
        return [one for one in self.asked if one.method == method and key in {None, one.key}]

    def targets(self) -> list[str]:
        return [one.target for one in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wire: Wire

    def _handle(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, parts.query, headers, self.rfile.read(length))
        self.wire.asked.append(asked)
        reply = self.wire.rule(asked)
        self._answer(asked, reply if reply is not None else self.wire.forward(asked))

    def _answer(self, asked: Asked, reply: Reply) -> None:
        if reply.status < 0:
            self.close_connection = True
            if reply is DRIP:
                self._drip()
            elif reply is SILENCE:
                self.wire.ended.wait()
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)  # which also notes that the connection is to be closed
        if reply.status != http.client.NO_CONTENT:
            told = {name.lower() for name in reply.headers}
            if "content-length" not in told:
                self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        try:
            if self.command != "HEAD":
                sent = self.wire.sent.get(asked.key, 0)  # noted first: who has it may look
                self.wire.sent[asked.key] = sent + len(reply.body)
                self.wfile.write(reply.body)
        except OSError:
            self.close_connection = True  # the reader had enough

    def _drip(self) -> None:
        self.send_response_only(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            while not self.wire.ended.wait(0.05):
                self.wfile.write(b" ")
        except OSError:
            return

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = _handle  # noqa: N815 - as the base wants

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - as the base has it
        del format, arguments


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here; anything else is the test's own."""
        del request, client_address
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


@contextmanager
def serving(behind: str) -> Iterator[Wire]:
    """A server on loopback that passes on to ``behind``, until the block ends."""
    wire = Wire(behind=behind)
    handler = type("Handler", (_Handler,), {"wire": wire})
    with _Server(("127.0.0.1", 0), handler) as server:
        wire.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield wire
        finally:
            wire.ended.set()
            server.shutdown()
            thread.join()
