"""`memfleet parse`: what a saved console log says about memory."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer
import zstandard

from agent.consoles import Console, Fact
from agent.consoles.fact import SYSTEMS
from telemetry.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

_CHUNK = 1 << 18
_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


def command(
    file: Annotated[str, typer.Argument(help="Console log, plain, gzip or zstd; '-' reads standard input.")],
    system: Annotated[
        str | None, typer.Option(help=f"Name the system instead of recognising it: {', '.join(SYSTEMS)}.")
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print a table instead of one JSON object a line.")
    ] = False,
) -> None:
    """Show what a console log says about memory, one JSON object a line, sizes in bytes.

    [bold]Example:[/bold] memfleet parse --summary board.log.gz
    """
    if system is not None and system not in SYSTEMS:
        raise UsageError(f"--system {system}: no such system; choose one of {', '.join(SYSTEMS)}")
    console = Console(system)
    facts = _facts(file, console)
    if summary:
        from rich.console import Console as Terminal  # drawing costs a tenth of a second to load

        Terminal().print(_table(facts, console))
        return
    for fact in facts:
        sys.stdout.write(json.dumps(as_object(fact), ensure_ascii=False) + "\n")


def as_object(fact: Fact) -> dict[str, Any]:
    """The fact as `parse` prints it: place, what, fields in bytes, and the rest only when there is any."""
    shown: dict[str, Any] = {
        "line": fact.line,
        "end_line": fact.end_line,
        "system": fact.system,
        "kind": fact.kind,
        "name": "/".join(fact.names),
        **fact.values,
    }
    if fact.uptime_ms is not None:
        shown["uptime_ms"] = fact.uptime_ms
    if fact.flags:
        shown["flags"] = list(fact.flags)
    if fact.resolution != 1:
        shown["resolution"] = fact.resolution
    if fact.raw:
        shown["raw"] = dict(fact.raw)
    return shown


def _facts(file: str, console: Console) -> Iterator[Fact]:
    with _opened(file) as stream:
        while data := _read(stream, file):
            yield from console.feed(data)
    yield from console.close()


def _read(stream: BufferedIOBase, file: str) -> bytes:
    try:
        return stream.read1(_CHUNK)
    except EOFError as error:
        raise UsageError(f"{file}: the packed log is cut short; what it held is above") from error
    except (OSError, zlib.error, zstandard.ZstdError) as error:
        raise UsageError(f"{file}: cannot be read any further ({error}); what it held is above") from error


@contextmanager
def _opened(file: str) -> Iterator[BufferedIOBase]:
    """The log's own bytes, unpacked when its first bytes say that it is packed."""
    if file == "-":
        yield _unpacked(cast(BufferedIOBase, sys.stdin.buffer))
        return
    path = Path(file)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read ({error.strerror}); give a console log, or '-' for standard input"
        ) from error
    with stream:
        yield _unpacked(stream)


def _unpacked(stream: BufferedIOBase) -> BufferedIOBase:
    head = stream.peek(4)[:4] if hasattr(stream, "peek") else b""
    if head.startswith(_GZIP):
        return cast(BufferedIOBase, gzip.open(stream))
    if head == _ZSTANDARD:
        unpacker = zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], stream), read_across_frames=True)
        return cast(BufferedIOBase, unpacker)
    return stream


def _table(facts: Iterator[Fact], console: Console) -> Table:
    """One row for each thing that was printed about: how often, and its first and last numbers."""
    from rich.table import Table

    seen: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        key = fact.kind, "/".join(fact.names)
        pair = seen.setdefault(key, [fact, fact])
        pair[1] = fact
    table = Table(title=f"{console.system or 'unknown system'}: {console.lines} lines, {console.understood} understood")
    for heading in ("kind", "name", "first line", "last line", "first", "last"):
        table.add_column(heading, overflow="fold")
    for (kind, name), (first, last) in seen.items():
        table.add_row(kind, name, str(first.line), str(last.end_line), _shown(first), _shown(last))
    return table


def _shown(fact: Fact) -> str:
    return ", ".join(f"{name} {value}" for name, value in fact.values.items())
