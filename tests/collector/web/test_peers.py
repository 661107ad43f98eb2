"""What the page knows of another collector that is too busy to answer, and what is asked of it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from collector.config import CollectorConfig, Page, Peer
from collector.web import peers
from collector.web.peers import Peers, Told
from telemetry.clock import monotonic_ms
from tests.waiting import LIMIT_S


@dataclass
class Other:
    """A collector on a busy machine: it answers after `wait_s`, with that status."""

    url: str = ""
    wait_s: float = 0.0
    status: int = 200
    says: object = None
    done: list[object] = field(default_factory=list)


LEAK = {
    "key": "leak", "status": "firing", "rule": "leak", "severity": "critical", "since_ms": 1, "at_ms": 2,
    "lasted_ms": 1, "devices": 1, "firing": 1, "first": "d", "worst": "d", "reason": "It grows.", "kind": "heap",
    "names": ["k"], "platform": "esp32", "firmware": "1", "numbers": {}, "ended": "", "acknowledged_ms": 0,
    "acknowledged_by": "", "silenced_until_ms": 0, "of_a_later_version": True,
}  # fmt: skip


@pytest.fixture
def other() -> Iterator[Other]:
    busy = Other()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"incidents": [LEAK]} if busy.says is None else busy.says)

        def do_POST(self) -> None:
            busy.done.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer({})

        def _answer(self, told: object) -> None:
            time.sleep(busy.wait_s)
            self.send_response(busy.status)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        busy.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield busy
        server.shutdown()
        thread.join()


def of(other: Other) -> Peers:
    return Peers(CollectorConfig(page=Page(peers=(Peer(url=other.url),))))


def test_what_a_peer_said_a_moment_ago_stands_while_it_does_not_answer(
    other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def looks() -> list[Told]:
        asked, found = of(other), []
        for other.status, passed_ms in ((200, 0), (503, 6_000), (503, 70_000)):
            monkeypatch.setattr(peers, "monotonic_ms", lambda: monotonic_ms() + passed_ms)  # noqa: B023 - used at once
            found += await asked.incidents(active=True)
        await asked.close()
        return found

    monkeypatch.setattr(peers, "_LOOK_S", LIMIT_S)
    first, busy, gone = asyncio.run(looks())
    assert first == Told(other.url, (LEAK,))
    assert busy == Told(other.url, first.incidents, f"peer {other.url}: status 503")
    assert gone == Told(other.url, (), busy.fault)


@pytest.mark.parametrize(
    ("status", "says", "fault"),
    [
        (200, {}, " answers something else: answer.incidents: Field required"),
        (200, {"incidents": [{"key": "leak"}]}, " answers something else: answer.incidents.0.status: Field required"),
        (200, [], " answers something else: answer: Input should be a valid dictionary or instance of Incidents"),
        (500, [], ": status 500"),
        (401, {"error": "no"}, ": no"),
    ],
)
def test_what_is_no_collector_of_ours_is_a_fault_of_that_peer_alone(
    other: Other, status: int, says: object, fault: str
) -> None:
    async def look() -> list[Told]:
        asked = of(other)
        told = await asked.incidents(active=True)
        await asked.close()
        return told

    other.status, other.says = status, says
    assert asyncio.run(look()) == [Told(other.url, (), f"peer {other.url}{fault}")]


def test_what_is_asked_of_a_slow_peer_is_waited_for(other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    async def acknowledge() -> None:
        asked = of(other)
        await asked.post(other.url, "alerts/acknowledge", {"key": "leak"})
        await asked.close()

    monkeypatch.setattr(peers, "_LOOK_S", 0.1)
    other.wait_s = 0.3
    asyncio.run(acknowledge())
    assert other.done == [{"key": "leak"}]
