"""What an agent with many busy consoles costs: processor share, memory, writes a day; one JSON object.

Boards on pseudo-terminals print at 115,200 bits a second, mostly chatter with a memory line now and then. The agent
runs in a process of its own, which is measured; the boards' processor time is not counted. There is no broker: the
outbox keeps everything.
"""

from __future__ import annotations

import json
import os
import pty
import resource
import subprocess
import sys
import tempfile
import time
import tty
from pathlib import Path

from agent.config import Capture

BYTES_PER_S = 11_520
ROUND_S = 0.05
LINE = b"I (%d) app_network: connected to the access point, rssi -61, channel 11\r\n"
MEMORY = b"I (%d) app: Free heap: %d bytes, largest 31744, min 20480\r\n"
EVERY = 50
"""One line in so many is about memory."""

AGENT = """
import json, resource, sys, time
from pathlib import Path
from agent.config import AgentConfig, Port
from agent.process import Gateway
ports = tuple(Port(port=path, device=f"d{n}") for n, path in enumerate(sys.argv[3:]))
gateway = Gateway(AgentConfig(ports=ports), Path(sys.argv[1]))
while len(gateway.ports.opened) < len(ports):
    gateway.step(0.05)
print("ready", flush=True)
begin, wall, count = time.process_time(), time.monotonic(), 0
while time.monotonic() - wall < float(sys.argv[2]):
    count += gateway.step(0.5)
cpu, span = time.process_time() - begin, time.monotonic() - wall
lines = sum(bridge.console.lines for bridge in gateway.bridges.values())
commits = gateway.agent.commits
gateway.close()
written = int(Path("/proc/self/io").read_text().split("write_bytes: ")[1].split()[0])
rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"cores": round(cpu / span, 3), "rss_mb": rss_mb, "lines": lines, "readings": count,
    "commits": commits, "written": written, "span_s": round(span, 1)}), flush=True)
"""


class Boards:
    """Terminals that print at a board's speed."""

    def __init__(self, count: int) -> None:
        self._pairs = [pty.openpty() for _ in range(count)]
        for master, slave in self._pairs:
            tty.setraw(slave)
            os.set_blocking(master, False)
        self.paths = [os.ttyname(slave) for _, slave in self._pairs]
        self._number = 0
        self._rest = [b""] * count
        self.printed = 0

    def print(self, span_s: float) -> None:
        """What each board prints in that time."""
        text = b""
        while len(text) < BYTES_PER_S * span_s:
            self._number += 1
            memory = self._number % EVERY == 0
            text += MEMORY % (self._number, 100_000 + self._number % 997) if memory else LINE % self._number
        for place, (master, _) in enumerate(self._pairs):
            data = self._rest[place] + text
            try:
                self._rest[place] = data[os.write(master, data) :]
            except BlockingIOError:
                self._rest[place] = data
            self.printed += len(text)


def measure(count: int, span_s: float) -> dict[str, float]:
    """Run an agent with `count` boards for that long."""
    boards = Boards(count)
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", AGENT, folder, str(span_s), *boards.paths]
        root = Path(__file__).parent.parent
        with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True) as agent:
            assert agent.stdout is not None
            assert agent.stdout.readline() == "ready\n"
            until = time.monotonic() + span_s - 1
            due = time.monotonic()
            while time.monotonic() < until:
                boards.print(ROUND_S)
                due += ROUND_S
                time.sleep(max(0.0, due - time.monotonic()))
            answer: dict[str, float] = json.loads(agent.stdout.readline())
        captured = sum(path.stat().st_size for path in Path(folder).rglob("*.zst"))
    answer["mb_printed"] = round(boards.printed / 1e6, 1)
    answer["captured"] = captured
    return answer


def a_day(answer: dict[str, float], ports: int, measured: int) -> dict[str, float]:
    """Commits and bytes to disk a day for so many ports, from what `measured` ports did."""
    share = ports / measured * 86_400 / answer["span_s"]
    return {
        "ports": ports,
        "commits": round(answer["commits"] * 86_400 / answer["span_s"]),
        "capture_writes": ports * 86_400 // Capture().write_s,
        "written_gb": round(answer["written"] * share / 1e9, 2),
        "capture_gb": round(answer["captured"] * share / 1e9, 2),
    }


def main() -> None:
    """Measure, and print one JSON object."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    span_s = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    answer = measure(count, span_s)
    print(json.dumps({"benchmark": "gateway", "ports": count, **answer, "a_day": a_day(answer, 50, count)}))


if __name__ == "__main__":
    main()
