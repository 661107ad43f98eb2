"""A small HTTP server that answers writes as InfluxDB 1, 2 or 3 do, by a script: for what the real one cannot be made
to say on demand. It parses what it is sent, as strictly as the grammar, and keeps the points."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
import urllib.parse
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Point = tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, object], ...], int]

_NAME = r"(?:\\[,= ]|[^,= \n])+"  # a backslash is plain unless it escapes a comma, an equals sign or a space
_TEXT = r'"(?:\\.|[^"\\\n])*"'
_LINE = re.compile(
    rf"(?P<measurement>{_NAME})(?P<tags>(?:,{_NAME}={_NAME})*) "
    rf"(?P<fields>{_NAME}=(?:{_TEXT}|[^\", ]+)(?:,{_NAME}=(?:{_TEXT}|[^\", ]+))*) (?P<time>-?\d+)"
)
_TAG = re.compile(rf",({_NAME})=({_NAME})")
_FIELD = re.compile(rf"({_NAME})=({_TEXT}|[^\", ]+)")


def parse(line: str) -> Point:
    """A point out of a line; ValueError when the line is not of the grammar."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"unable to parse {line!r}")
    tags = tuple((_plain(k), _plain(v)) for k, v in _TAG.findall(match["tags"]))
    fields = tuple((_plain(k), _value(v)) for k, v in _FIELD.findall(match["fields"]))
    return _plain(match["measurement"]), tags, fields, int(match["time"])


def _plain(text: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", text)


def _value(text: str) -> object:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if text.endswith("i"):
        return int(text[:-1])
    return float(text)


@dataclass
class Reply:
    """One scripted answer. `store`: take the points all the same; `hang`: say nothing until the server stops."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    store: bool = False
    hang: bool = False


@dataclass
class FakeInflux:
    """What the server took and was asked. `script` is answered first, then `bad` decides about each line."""

    url: str = ""
    token: str = ""
    refusal: int = 400
    most_bytes: int = 10_000_000
    partial: bool = False
    bad: Callable[[str], bool] = lambda line: False
    script: deque[Reply] = field(default_factory=deque)
    requests: list[tuple[str, dict[str, str], list[str]]] = field(default_factory=list)
    points: dict[tuple[str, tuple[tuple[str, str], ...], int], tuple[tuple[str, object], ...]] = field(
        default_factory=dict
    )
    stopping: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """The answer to a write; points are kept as InfluxDB would."""
        lines = body.decode().split("\n")
        self.requests.append((path, headers, lines))
        if self.script:
            reply = self.script.popleft()
            if reply.store:
                self._keep(lines)
            return reply
        if self.token and not headers.get("Authorization", "").endswith(f" {self.token}"):
            return Reply(401, body='{"code":"unauthorized","message":"unauthorized access"}')
        if len(body) > self.most_bytes:
            return Reply(413, body='{"error":"request entity too large"}')
        wrong = [line for line in lines if self.bad(line) or _broken(line)]
        if not wrong:
            self._keep(lines)
            return Reply(204)
        if self.partial:
            self._keep([line for line in lines if line not in wrong])
        return Reply(self.refusal, body=json.dumps({"code": "invalid", "message": f"{wrong[0][:60]}: refused"}))

    def _keep(self, lines: list[str]) -> None:
        for measurement, tags, fields, time in map(parse, lines):
            self.points[measurement, tags, time] = fields


def _broken(line: str) -> bool:
    try:
        parse(line)
    except ValueError:
        return True
    return False


@contextlib.contextmanager
def fake_influx(**settings: object) -> Iterator[FakeInflux]:
    """The server, on a free port of loopback."""
    fake = FakeInflux(**settings)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one segment

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            reply = fake.answer(urllib.parse.unquote_plus(self.path), dict(self.headers), body)
            if reply.hang:
                fake.stopping.wait()
                self.close_connection = True
                return
            self.send_response(reply.status)
            data = reply.body.encode()
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield fake
    finally:
        fake.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
