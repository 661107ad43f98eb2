"""A process of memfleet's under test: started, killed, paused and tended like a server (`tests/servers.py`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from memfleet.lifeline import PARENT

ROOT = Path(__file__).parent.parent.parent


class Child:
    """`python -m MODULE WORDS`, what it says on standard error in `log`. `wanted`: it should be running now."""

    def __init__(self, log: Path, module: str, words: Sequence[str]) -> None:
        self.log = log
        self.wanted = False
        self.own_deaths = 0
        """How often it ended without being told to."""
        self._command = [sys.executable, "-m", module, *words]
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start it."""
        with self._lock:
            self.wanted = True
            self._start()

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._send(signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The number of its process, 0 when it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else 0

    def tend(self) -> None:
        """Start it again when it has ended by itself, as a supervisor would."""
        with self._lock:
            if self.wanted and self._process is not None and self._process.poll() is not None:
                self.own_deaths += 1
                self._start()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, PARENT: str(os.getpid())},
            )
        self._started(self._process)

    def _started(self, process: subprocess.Popen[bytes]) -> None:
        """For those who talk to it."""

    def _send(self, how: signal.Signals) -> None:
        if self.pid:
            os.kill(self.pid, how)

    def _end(self, how: signal.Signals) -> None:
        with self._lock:
            self.wanted = False
            process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


class SourceChild(Child):
    """An agent of `tests.faults.source`: takes numbers, says how far it is."""

    def __init__(
        self, log: Path, words: Sequence[str], began: Callable[[], None], heard: Callable[[str, int], None]
    ) -> None:
        super().__init__(log, "tests.faults.source", words)
        self._began = began
        self._heard = heard

    def give(self, numbers: range) -> None:
        """Print the numbers to it; they are lost when it cannot read just now."""
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            os.write(process.stdin.fileno(), "".join(f"{number}\n" for number in numbers).encode())
        except (OSError, ValueError):  # it died, or hangs with a full pipe
            return

    def _started(self, process: subprocess.Popen[bytes]) -> None:
        self._began()
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            word, _, number = line.decode().strip().partition(" ")
            if line.endswith(b"\n") and number.isdigit():
                self._heard(word, int(number))
