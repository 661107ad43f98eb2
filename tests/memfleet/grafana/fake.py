"""A Grafana that answers the routes memfleet uses, as version 13 documents them, and keeps what is written."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeGrafana:
    """State and record of one server; `prefix` is the path it is served under."""

    def __init__(self, prefix: str = "") -> None:
        self.token = "good"
        self.sources: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.writes: list[tuple[str, str]] = []
        self.answer_always: tuple[int, str] | None = None
        self.prefix = prefix
        self.url = ""

    def answer(self, method: str, path: str, authorization: str, body: Any) -> tuple[int, Any]:
        """Status and answer of one request."""
        if self.answer_always:
            return self.answer_always
        if authorization != f"Bearer {self.token}":
            return 401, {"message": "Invalid API key"}
        if not path.startswith(f"{self.prefix}/api/"):
            return 404, {"message": "Not found"}
        path = path.removeprefix(f"{self.prefix}/api")
        if method == "GET":
            return self._get(path)
        self.writes.append((method, path))
        return self._write(method, path, body)

    def _get(self, path: str) -> tuple[int, Any]:
        kind, _, uid = path.lstrip("/").rpartition("/")
        if kind == "datasources/uid" and uid in self.sources:
            source = dict(self.sources[uid])
            secrets = source.pop("secureJsonData", {})
            return 200, {**source, "id": 1, "version": 1, "secureJsonFields": dict.fromkeys(secrets, True)}
        if kind == "folders" and uid in self.folders:
            return 200, self.folders[uid]
        if kind == "dashboards/uid" and uid in self.dashboards:
            return 200, {"dashboard": self.dashboards[uid], "meta": {"folderUid": "memfleet"}}
        return 404, {"message": "not found"}

    def _write(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if (method, path) == ("POST", "/datasources"):
            if any(source["name"] == body["name"] for source in self.sources.values()):
                return 409, {"message": "data source with the same name already exists"}
            self.sources[body["uid"]] = body
            return 200, {"datasource": body, "message": "Datasource added"}
        if method == "PUT" and path.removeprefix("/datasources/uid/") in self.sources:
            self.sources[body["uid"]] = body
            return 200, {"datasource": body, "message": "Datasource updated"}
        if (method, path) == ("POST", "/folders"):
            self.folders[body["uid"]] = body
            return 200, body
        if (method, path) == ("POST", "/dashboards/db") and body["folderUid"] in self.folders:
            model = body["dashboard"]
            version = self.dashboards.get(model["uid"], {}).get("version", 0) + 1
            self.dashboards[model["uid"]] = {**model, "id": 7, "version": version, "schemaVersion": 42}
            return 200, {"status": "success", "uid": model["uid"], "version": version}
        return 404, {"message": "Not found"}


@contextlib.contextmanager
def fake_grafana(prefix: str = "") -> Iterator[FakeGrafana]:
    """The server, running on a free port."""
    fake = FakeGrafana(prefix)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            status, answer = fake.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names that http.server calls

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}{prefix}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
