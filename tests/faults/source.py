"""An agent whose source is the oracle: `python -m tests.faults.source BROKER AGENT FOLDER START_MS`.

It reads numbers from standard input, one a line, and makes a reading of each. On standard output it says how far it is:
`committed N` once number N stands in its outbox on disk, `acked N` once the collector has acknowledged it.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from pathlib import Path

from agent.config import AgentConfig, Outbox
from agent.process import Agent
from memfleet.lifeline import die_with_parent, stop_on_signals
from telemetry.settings import Broker
from tests.faults.numbered import reading

FLEET = "plant"
COMMIT_MS = 100


class NumberedAgent:
    """The agent of every day, between two pipes."""

    def __init__(self, broker: str, name: str, folder: Path, start_ms: int) -> None:
        config = AgentConfig(
            fleet=FLEET, name=name, broker=Broker(url=broker), outbox=Outbox(commit_ms=COMMIT_MS), data_dir=str(folder)
        )
        self._name = name
        self._start_ms = start_ms
        self._agent = Agent(config, folder)
        self._rest = b""
        self._taken = self._said = 0
        self._marks: deque[tuple[int, int]] = deque()
        """(frame, number) pairs: the number is in that frame or one before it."""

    def step(self) -> None:
        """Take what came, publish, report."""
        for line in self._lines():
            self._taken = int(line)
            self._agent.take([reading(self._name, self._taken, self._start_ms)])
        before = self._agent.outbox.last
        self._agent.step(0.02)
        outbox = self._agent.outbox
        if outbox.last > before:
            self._marks.append((outbox.last, self._taken))
            self._say("committed", self._taken)
        acked = 0
        while self._marks and self._marks[0][0] < outbox.base:
            acked = self._marks.popleft()[1]
        if acked:
            self._say("acked", acked)

    def _lines(self) -> list[bytes]:
        try:
            data = os.read(0, 65_536)
        except BlockingIOError:
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    @staticmethod
    def _say(word: str, number: int) -> None:
        os.write(1, f"{word} {number}\n".encode())


def main(broker: str, name: str, folder: str, start_ms: str) -> None:
    """Run until told to stop."""
    die_with_parent()
    stop = stop_on_signals()
    os.set_blocking(0, False)
    agent = NumberedAgent(broker, name, Path(folder), int(start_ms))
    while not stop.is_set():
        agent.step()


if __name__ == "__main__":
    main(*sys.argv[1:])
