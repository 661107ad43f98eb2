"""`memfleet case`: captures as test cases."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.capture.masking import SECRETS, compiled, mask
from agent.consoles import Console, Fact
from memfleet.commands.parse import as_object
from memfleet.logfile import log_bytes
from telemetry.errors import UsageError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Turn console logs into test cases.", rich_markup_mode="rich"
)

CONTEXT = 20
"""Lines that are kept before the first and after the last line that says something."""
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")


@app.callback()
def _root() -> None:
    """Turn console logs into test cases."""


@app.command("add")
def add(
    file: Annotated[str, typer.Argument(help="The log: plain, gzip, zstd, or a file of a capture.")],
    name: Annotated[str, typer.Option(help="Name of the case, as esp-heap-summary.")],
    into: Annotated[Path, typer.Option(help="Folder of the cases.")] = Path("tests/cases/consoles"),
    lines: Annotated[str | None, typer.Option(help="Lines to keep, as 120-180; else those that say something.")] = None,
    hide: Annotated[list[str] | None, typer.Option(help="Further regular expression of a secret.")] = None,
) -> None:
    """Make a case of a log: mask secrets, cut to what matters, write down what the parser reads now.

    Look through both files before you commit them: what stands in expected.jsonl is a proposal, and a secret that
    no pattern knows is still there.

    [bold]Example:[/bold] memfleet case add crash.log --name esp-crash-in-wifi --lines 1200-1260
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r}: small letters, digits, dots and dashes only, as esp-heap-summary")
    case = into / name
    if case.exists():
        raise UsageError(f"{case} is there already; choose another --name")
    try:
        masks = compiled((*SECRETS, *(hide or ())))
    except ValueError as error:
        raise UsageError(f"--hide: {error}") from None
    log = mask(masks, _cut(log_bytes(file), lines))
    expected = [json.dumps(as_object(fact), ensure_ascii=False) for fact in _facts(log)]
    case.mkdir(parents=True)
    (case / "input.log").write_bytes(log)
    (case / "expected.jsonl").write_text("".join(line + "\n" for line in expected))
    sys.stdout.write(
        f"{case}: {log.count(bytes([10]))} lines, {len(expected)} facts, {log.count(b'***')} places masked\n"
    )


def _cut(log: bytes, lines: str | None) -> bytes:
    """The wanted lines."""
    parts = _lines(log)
    if lines is not None:
        found = re.fullmatch(r"(\d+)-(\d+)", lines)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"--lines {lines!r}: write the first and the last line, as 120-180")
        first, last = int(found[1]), int(found[2])
        if first > len(parts):
            raise UsageError(f"--lines {lines!r}: the log has {len(parts)} lines")
    else:
        facts = [fact for fact in _facts(log) if fact.kind != "log"]
        if not facts:
            raise UsageError("nothing in this log is read; --lines says which lines to keep")
        first = min(fact.line for fact in facts) - CONTEXT
        last = max(fact.end_line for fact in facts) + CONTEXT
    return b"".join(parts[max(0, first - 1) : last])


def _lines(log: bytes) -> list[bytes]:
    """Lines end at line feeds only."""
    return [line + b"\n" for line in log.split(b"\n")[:-1]] + ([rest] if (rest := log.rpartition(b"\n")[2]) else [])


def _facts(log: bytes) -> list[Fact]:
    console = Console()
    return console.feed(log) + console.close()
