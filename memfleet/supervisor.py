"""The supervisor: starts the processes of a collector, starts again what dies, ends all of them together."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from memfleet.lifeline import PARENT
from telemetry.clock import monotonic_ms
from telemetry.files import make_folder

_LOG = logging.getLogger("memfleet")

RESTART_LEAST_MS = 500
RESTART_MOST_MS = 30_000
STEADY_MS = 60_000
"""A process that has run for so long is healthy: its next restart is quick again."""
END_S = 10.0
FATAL_STATUS = 2
"""Exit status of a process whose configuration or surroundings are wrong: that ends when somebody mends them."""
FATAL_MS = 60_000
"""After so long it is tried once more."""


@dataclass(slots=True)
class _Child:
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_ms: int = 0
    start_again_ms: int = 0
    delay_ms: int = RESTART_LEAST_MS
    failed: bool = False
    renewed: bool = False
    restarts: int = 0


class Supervisor:
    """Runs named commands as child processes. `logs`: a folder for what they say; None: where we say it.

    `now_ms` is monotonic. Children get a SIGTERM when we die, whatever the reason.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        logs: Path | None = None,
        now_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._children = {name: _Child(command) for name, command in commands.items()}
        self._logs = logs
        self._now_ms = now_ms

    def watch(self) -> None:
        """Start what is not running and due. Call it a few times a second."""
        now = self._now_ms()
        for name, child in self._children.items():
            if child.process is not None and child.process.poll() is not None:
                self._bury(name, child, now)
            if child.process is None and now >= child.start_again_ms:
                child.process = self._start(name, child.command)
                child.started_ms, child.failed, child.renewed = now, False, False

    @property
    def failed(self) -> list[str]:
        """Processes that cannot run as they are configured."""
        return [name for name, child in self._children.items() if child.failed]

    def pid(self, name: str) -> int | None:
        """The process number of a child that runs."""
        process = self._children[name].process
        return process.pid if process is not None and process.poll() is None else None

    def restarts(self, name: str) -> int:
        """How often a child had to be started again."""
        return self._children[name].restarts

    def renew(self, name: str) -> None:
        """Let a child end in order, to be started again at once: that is none of its deaths."""
        child = self._children[name]
        child.renewed, child.start_again_ms = True, self._now_ms()
        if child.process is not None:
            child.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End all children in order; those that do not end in ten seconds are killed."""
        running = [child.process for child in self._children.values() if child.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = self._now_ms() + END_S * 1000
        for process in running:
            try:
                process.wait(max(0.1, (deadline - self._now_ms()) / 1000))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in self._children.values():
            child.process = None

    def log_tail(self, name: str, size: int = 2000) -> str:
        """The end of what a child has said."""
        path = self._log_path(name)
        return path.read_text(errors="replace")[-size:] if path and path.exists() else ""

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, PARENT: str(os.getpid())}
        path = self._log_path(name)
        if path is None:
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
        make_folder(path.parent)
        with path.open("ab") as log:
            return subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _bury(self, name: str, child: _Child, now: int) -> None:
        process, child.process = child.process, None
        status = process.returncode if process else 0
        if child.renewed:
            return
        if status == FATAL_STATUS:
            child.failed, child.start_again_ms = True, now + FATAL_MS
            reason = self.log_tail(name, 500).strip() or "see what it said above"
            _LOG.error("%s cannot run; again in %d s: %s", name, FATAL_MS // 1000, reason)
            return
        child.delay_ms = RESTART_LEAST_MS if now - child.started_ms > STEADY_MS else child.delay_ms
        child.start_again_ms = now + child.delay_ms
        child.restarts += 1
        _LOG.warning("%s ended (status %s); again in %.1f s", name, status, child.delay_ms / 1000)
        child.delay_ms = min(RESTART_MOST_MS, child.delay_ms * 2)

    def _log_path(self, name: str) -> Path | None:
        return self._logs / f"{name.replace(':', '-')}.log" if self._logs else None


def own_command(*words: str) -> list[str]:
    """A command line that runs another command of memfleet with this very Python."""
    return [sys.executable, "-m", "memfleet", *words]
