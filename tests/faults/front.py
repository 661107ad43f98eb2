"""Stands before a real store and answers in its place for a while: 503, 429, silence, an answer that is lost."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from tests.servers import HOST

Mood = Literal["pass", "slow", "busy", "later", "hang", "lost_answer"]
SLOW_S = 0.2
HANG_S = 2.0
_Answer = tuple[int, dict[str, str], bytes]


class Front:
    """`mood` decides what becomes of a request; `requests` counts them by mood.

    slow: every write takes 200 ms. busy: 503. later: 429 with Retry-After: 1. hang: nothing for two seconds, then the
    connection ends. lost_answer: the store gets the write, and its answer never arrives.
    """

    def __init__(self, target: int) -> None:
        self.mood: Mood = "pass"
        self.requests: Counter[str] = Counter()
        self._target = target
        self._healed = threading.Event()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._healed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(HOST, self._target, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                mood = front.mood
                front.requests[mood] += 1
                if mood == "busy":
                    self._answer(503, {}, b"busy")
                elif mood == "later":
                    self._answer(429, {"Retry-After": "1"}, b"later")
                elif mood == "hang":
                    front._healed.wait(HANG_S)
                    self.close_connection = True
                else:
                    if mood == "slow":
                        front._healed.wait(SLOW_S)
                    self._forward(body, lose=mood == "lost_answer")

            def do_GET(self) -> None:
                self._forward(b"", lose=False)

            def _forward(self, body: bytes, *, lose: bool) -> None:
                sent = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                try:
                    status, headers, data = front._pass_on(self.command, self.path, sent, body)
                except (OSError, http.client.HTTPException):
                    self.close_connection = True
                    return
                if lose:
                    self.close_connection = True
                else:
                    kept = {n: v for n, v in headers.items() if n.lower() in ("content-type", "retry-after")}
                    self._answer(status, kept, data)

            def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    if status != 204:
                        self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                    self.wfile.flush()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextlib.contextmanager
def front(target: int) -> Iterator[Front]:
    """A front before the store at a port of loopback, until the block ends."""
    made = Front(target)
    try:
        yield made
    finally:
        made.close()
