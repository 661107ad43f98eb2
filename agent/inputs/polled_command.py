"""A command that is run every now and then, its output read as a console: `command:WORDS`, or `azsphere:` for the
memory table of an Azure Sphere device on this machine's USB port."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time

from agent.inputs.input import PlainInput

CHUNK = 65_536
LONGEST_S = 60.0
"""A run that takes longer hangs, and is ended."""

_AZURE_SPHERE = (
    ("azsphere", "azsphere device app show-memory-stats"),
    ("az", "az sphere device app show-memory-stats"),
)
_EXPLAINED = (
    (
        re.compile(r"appdevelopment|capability|enable-development|not.{0,40}development", re.IGNORECASE),
        "the device has no appDevelopment capability: prepare it with `azsphere device enable-development`",
    ),
    (
        re.compile(r"unrecogni[sz]ed|misspelled|invalid choice|not a (?:valid|known) command|no such command", re.I),
        "this SDK does not know `show-memory-stats`: install 21.04 or newer (`azsphere show-version` tells)",
    ),
    (
        re.compile(r"no .{0,20}devices?|(?:not|could ?n.t|cannot) .{0,40}(?:find|connect|reach)|192\.168\.35\.", re.I),
        "no Azure Sphere device answers: is it on USB, powered, and its driver and service running?",
    ),
    (re.compile(r"log ?in|authenticat", re.IGNORECASE), "the CLI wants a login first: `azsphere login`"),
)


def explain(output: str) -> str:
    """What a failed `show-memory-stats` means and what to do; the tool's own last words when they are unknown."""
    for pattern, meaning in _EXPLAINED:
        if pattern.search(output):
            return meaning
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def words_of(url: str) -> list[str]:
    """The command behind `command:` or `azsphere:`. FileNotFoundError: it is not installed."""
    if url.startswith("azsphere:"):
        for program, command in _AZURE_SPHERE:
            if shutil.which(program):
                return shlex.split(command)
        raise OSError("neither `azsphere` nor `az` is installed: install the Azure Sphere SDK, or the CLI's extension")
    words = shlex.split(url.removeprefix("command:"))
    if not words:
        raise ValueError("`command:` is followed by the command to run")
    if shutil.which(words[0]) is None:
        raise OSError(f"no program {words[0]!r} on the PATH")
    return words


class PolledCommand(PlainInput):
    """Runs the command, gives what it prints, waits `every_s` from start to start; that may be changed."""

    polled = True

    def __init__(self, url: str, every_s: float) -> None:
        self._words = words_of(url)
        self.every_s = every_s
        self._started = float("-inf")
        self._process: subprocess.Popen[bytes] | None = None
        self._output = b""

    def fileno(self) -> int:
        raise OSError("a command that runs now and then has no descriptor")

    def read(self) -> bytes:
        now = time.monotonic()
        if self._process is None:
            if now >= self._started + self.every_s:
                self._start(now)
            return b""
        if self._process.poll() is None and now - self._started < LONGEST_S:
            self._collect()
            return b""
        return self._finish(self._process)

    def _start(self, now: float) -> None:
        self._started, self._output = now, b""
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(self._process.stdout.fileno(), False)

    def _collect(self) -> None:
        """Take what is in the pipe: a command that fills it would wait for ever."""
        assert self._process is not None  # noqa: S101 - called between start and finish
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        while data := self._process.stdout.read(CHUNK):
            self._output = (self._output + data)[-16 * CHUNK :]

    def _finish(self, process: subprocess.Popen[bytes]) -> bytes:
        hung = process.poll() is None
        if hung:
            process.kill()
        status = process.wait()
        self._collect()
        self.close()
        command = shlex.join(self._words)
        if hung:
            self.trouble = f"`{command}` did not end within {LONGEST_S:.0f} s"
        elif status != 0:
            self.trouble = f"`{command}` failed: {explain(self._output.decode(errors='replace'))}"
        else:
            self.trouble = ""
            return self._output if self._output.endswith(b"\n") or not self._output else self._output + b"\n"
        return b""

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
