"""A Grafana that answers the routes memfleet uses as versions 10 to 13 document them, and keeps what is written.

What differs: the history of a dashboard is a list in 10 and stands in an object since 11; since 12 a dashboard is
brought to the newest schema when it is read; in 13 data sources answer by uid alone.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeGrafana:
    """State and record of one server; `prefix` is the path it is served under."""

    def __init__(self, prefix: str = "", version: int = 13) -> None:
        self.token = "good"
        self.version = version
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, dict[str, Any]] = {}
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
        if path.endswith("/versions?limit=1"):
            return self._versions(path.split("/")[3])
        if path in self.rules:  # with what Grafana fills in
            group = self.rules[path]
            return 200, {**group, "rules": [{**rule, "id": 1, "provenance": ""} for rule in group["rules"]]}
        kind, _, uid = path.lstrip("/").rpartition("/")
        if kind == "datasources/uid" and uid in self.sources:
            source = dict(self.sources[uid])
            secrets = source.pop("secureJsonData", {})
            return 200, {**source, "id": 1, "version": 1, "secureJsonFields": dict.fromkeys(secrets, True)}
        if kind == "folders" and uid in self.folders:
            return 200, self.folders[uid]
        if kind == "dashboards/uid" and uid in self.dashboards:
            model = self.dashboards[uid]
            if self.version >= 12:
                panels = [{**panel, "pluginVersion": f"{self.version}.0.1"} for panel in model["panels"]]
                model = {**model, "schemaVersion": 42, "panels": panels}
            return 200, {"dashboard": model, "meta": {"folderUid": "memfleet"}}
        return 404, {"message": "not found"}

    def _versions(self, uid: str) -> tuple[int, Any]:
        if uid not in self.history:
            return 404, {"message": "Dashboard not found"}
        newest = self.history[uid][:1]
        return 200, newest if self.version < 11 else {"continueToken": "", "versions": newest}

    def save_by_hand(self, uid: str, **changes: Any) -> None:
        """What a person does at the browser."""
        self._save({**self.dashboards[uid], **changes}, "bob", "taller panels")

    def _save(self, model: dict[str, Any], who: str, message: str) -> int:
        version: int = self.dashboards.get(model["uid"], {}).get("version", 0) + 1
        self.dashboards[model["uid"]] = {**model, "id": 7, "version": version}
        entry = {"version": version, "createdBy": who, "message": message}
        self.history.setdefault(model["uid"], []).insert(0, entry)
        return version

    def _write(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if (method, path) == ("POST", "/datasources"):
            if any(source["name"] == body["name"] for source in self.sources.values()):
                return 409, {"message": "data source with the same name already exists"}
            self.sources[body["uid"]] = body
            return 200, {"datasource": body, "message": "Datasource added"}
        if method == "PUT" and path.removeprefix("/datasources/uid/") in self.sources:
            self.sources[body["uid"]] = body
            return 200, {"datasource": body, "message": "Datasource updated"}
        if method == "PUT" and path == "/v1/provisioning/folder/memfleet/rule-groups/memfleet" and self.folders:
            self.rules[path] = body
            return 200, body
        if (method, path) == ("POST", "/folders"):
            self.folders[body["uid"]] = body
            return 200, body
        if (method, path) == ("POST", "/dashboards/db") and body["folderUid"] in self.folders:
            model = body["dashboard"]
            version = self._save(model, "sa-memfleet", body["message"])
            return 200, {"status": "success", "uid": model["uid"], "version": version}
        return 404, {"message": "Not found"}


@contextlib.contextmanager
def fake_grafana(prefix: str = "", version: int = 13, port: int = 0) -> Iterator[FakeGrafana]:
    """The server, running on that port or a free one."""
    fake = FakeGrafana(prefix, version)
    with answering(fake, port):
        fake.url += prefix
        yield fake


@contextlib.contextmanager
def answering(fake: Any, port: int = 0) -> Iterator[None]:
    """Answer HTTP on that port, or a free one, with what `fake.answer` gives; `fake.url` says where."""

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

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
