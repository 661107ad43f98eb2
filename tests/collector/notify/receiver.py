"""A real HTTP server that takes apprise's json:// messages, and answers as told: a status, or nothing at all."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG, RESET = 0, -1
PATIENCE_S = 600
_AT_ONCE = struct.pack("ii", 1, 0)


class Receiver:
    """`answers` are used up one by one, the last one for ever; `taken` are the messages that were
    heard: answered with 200, or with a hang or a reset after the last byte."""

    def __init__(self, answers: list[int]) -> None:
        self.answers = answers
        self.taken: list[dict[str, str]] = []
        self.tries = 0
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.tries += 1
                answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                if answer in (200, HANG, RESET):
                    receiver.taken.append(json.loads(body))
                if answer == HANG:
                    receiver.released.wait()
                    return
                if answer == RESET:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                    self.connection.close()
                    return
                self.send_response(answer)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Its address; who sends there waits `PATIENCE_S` for an answer."""
        return f"json://127.0.0.1:{self._server.server_port}/?rto={PATIENCE_S}"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving(*answers: int) -> Iterator[Receiver]:
    """A receiver for the span of a test."""
    receiver = Receiver(list(answers))
    try:
        yield receiver
    finally:
        receiver.close()
