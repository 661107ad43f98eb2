"""Taking a page's commands as a newcomer does: as they are printed, one block after the other.

What a page prints indented is typed into a terminal; what it prints below as ```text must then appear there, with
whatever numbers. A command that lasts has a terminal of its own, until the page says to end it.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

PATIENCE_S = 120.0
LOOK_S = 1.0
_LASTS = re.compile(r"memfleet (agent|collect|demo|emulate|top|watch)\b(?!.*--(virtual|for) ).*")
_END = re.compile(r"\bEnd\s+`([^`]+)`\s+with\s+Ctrl-C")
_PARTS = re.compile(r"^(```\w*\n.*?^```\n|(?: {4}[^\n]*\n|\n(?= {4}))+)", re.M | re.S)
_FAULT = re.compile(r"^(Traceback|Usage:|memfleet: |.*: command not found)", re.M)


@dataclass(frozen=True)
class Block:
    """A block to type and what is `shown` then; or, `over`, the command to end."""

    text: str
    shown: str = ""
    over: bool = False


def blocks(page: str) -> list[Block]:
    """What a page asks of its reader, in its order. A command that lasts is a block of its own."""
    found: list[Block] = []
    for part in _PARTS.split(page):
        if part.startswith("```text\n"):
            found[-1] = replace(found[-1], shown=part.removeprefix("```text\n").removesuffix("```\n"))
        elif re.match("\n* {4}", part):
            lines = re.sub("^ {4}", "", part, flags=re.M).strip().splitlines()
            for _, some in itertools.groupby(lines, _LASTS.fullmatch):  # no match equals another
                if text := "\n".join(some).strip():
                    found.append(Block(text))
        elif not part.startswith("```"):
            found += (Block(" ".join(words.split()), over=True) for words in _END.findall(part))
    return found


def appears(shown: str, output: str) -> bool:
    """Whether each shown line begins a line of the output, in this order; numbers and spaces may be others."""
    rest = iter(output.splitlines())
    return all(any(_pattern(line).match(said) for said in rest) for line in shown.splitlines())


def _pattern(line: str) -> re.Pattern[str]:
    words = [re.sub(r"\d+", r"\\d+", re.escape(word)) for word in line.split()]
    return re.compile(r"\s*" + r"\s+".join(words))


class Walk:
    """A reader with a home, a folder they are in, and terminals in which commands go on.

    `typed`: what to type into a command that asks, by a part of the command. Where the page lets its reader put another
    word, `means` has it. Every fault is an AssertionError that shows what was typed and what came of it.
    """

    def __init__(self, home: Path, typed: Mapping[str, str], **environment: str) -> None:
        self.means: dict[str, str] = {}
        self.output = ""
        self._records = home.with_name(f"{home.name}-terminals")
        self._records.mkdir()
        self._folder = home
        self._typed = typed
        self._lasting: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {**os.environ, "HOME": str(home), **environment}

    def take(self, block: Block) -> None:
        """Do what a block asks for, and see what it promises."""
        text, shown = self._meant(block.text), self._meant(block.shown)
        if block.over:
            self._end(text)
        elif _LASTS.fullmatch(text):
            self._start(text)
            self._see(text, shown, lambda: self._record(text).read_text())
        else:
            self._see(text, shown, lambda: self._run(text))

    def close(self) -> None:
        """Ctrl-C in every terminal."""
        for line in list(self._lasting):
            self._end(line)

    def _meant(self, text: str) -> str:
        for printed, meant in self.means.items():
            text = text.replace(printed, meant)
        return text

    def _see(self, text: str, shown: str, look: Callable[[], str]) -> None:
        """Look until it is there: read on in a command that lasts, repeat one that is over."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.output = look()
            if appears(shown, self.output) and not _FAULT.search(self.output):
                return
            late = time.monotonic() > deadline or not shown
            assert not late, f"$ {text}\nhas to show:\n{shown}\nand shows:\n{self.output}"
            time.sleep(LOOK_S)

    def _run(self, text: str) -> str:
        """Type the block and wait for its end; the folder in which it ends is that of the next one."""
        place = self._records / "folder"
        answer = next((words for part, words in self._typed.items() if part in text), "")
        done = subprocess.run(
            ["bash", "-c", f"{text}\npwd > {shlex.quote(str(place))}"],
            cwd=self._folder, env=self._environment, input=answer, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        self._folder = Path(place.read_text().strip())
        return done.stdout + done.stderr

    def _start(self, line: str) -> None:
        assert line not in self._lasting, f"the page starts it twice and does not say to end it: {line}"
        with self._record(line).open("wb") as out:
            self._lasting[line] = subprocess.Popen(
                ["bash", "-c", f"exec {line}"], cwd=self._folder, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def _record(self, line: str) -> Path:
        """Where a lasting command's output goes."""
        return self._records / re.sub("[^a-z0-9-]+", "_", line)[-200:]

    def _end(self, words: str) -> None:
        """Ctrl-C in the newest terminal whose command begins so."""
        line = next(one for one in reversed(self._lasting) if one.startswith(words))
        process = self._lasting.pop(line)
        ended = process.poll() is not None
        said = self._record(line).read_text()
        assert not ended, f"$ {line}\nended by itself and had shown:\n{said}"
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        said = self._record(line).read_text()
        assert not _FAULT.search(said), f"$ {line}\nhad shown:\n{said}"
