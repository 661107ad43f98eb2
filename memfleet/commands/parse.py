"""`memfleet parse`: what a saved console log says about memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from agent.consoles import Console, Fact
from agent.consoles.fact import SYSTEMS
from agent.patternfile import load_patterns
from agent.symbols import Symbols
from memfleet.advice import nothing_read, read_of
from memfleet.logfile import log_bytes, log_chunks
from memfleet.trying import report
from telemetry.errors import UsageError
from telemetry.readings import MEMORY_KINDS


def command(
    file: Annotated[str, typer.Argument(help="Console log, plain, gzip or zstd; '-' reads standard input.")],
    system: Annotated[
        str | None, typer.Option(help=f"Name the system instead of recognising it: {', '.join(SYSTEMS)}.")
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print a table instead of one JSON object a line.")
    ] = False,
    patterns: Annotated[Path | None, typer.Option(help="Pattern file of your firmware's own lines.")] = None,
    trial: Annotated[
        Path | None,
        typer.Option("--try", help="Pattern file to try: what it matches, what it almost does, what nobody reads."),
    ] = None,
    elf: Annotated[Path | None, typer.Option(help="Folder of ELF files: addresses get function and line.")] = None,
) -> None:
    """Show what a console log says about memory, one JSON object a line, sizes in bytes.

    [bold]Example:[/bold] memfleet parse --summary board.log.gz
    """
    if system is not None and system not in SYSTEMS:
        raise UsageError(f"--system {system}: no such system; choose one of {', '.join(SYSTEMS)}")
    if trial is not None:
        sys.stdout.write(report(load_patterns(trial), log_bytes(file), system))
        return
    console = Console(system, load_patterns(patterns) if patterns else ())
    facts = _facts(file, console)
    if elf is not None:
        facts = _with_places(facts, Symbols(elf))
    kinds: set[str] = set()
    facts = _noting(facts, kinds)
    if summary:
        _print_summary(facts, console)
    else:
        for fact in facts:
            sys.stdout.write(json.dumps(as_object(fact), ensure_ascii=False) + "\n")
    if kinds.isdisjoint(MEMORY_KINDS):
        sys.stderr.write(f"{file}: {nothing_read(console)}\n")


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
    for data in log_chunks(file):
        yield from console.feed(data)
    yield from console.close()


def _noting(facts: Iterator[Fact], kinds: set[str]) -> Iterator[Fact]:
    """The facts; which kinds came is noted."""
    for fact in facts:
        kinds.add(fact.kind)
        yield fact


def _with_places(facts: Iterator[Fact], symbols: Symbols) -> Iterator[Fact]:
    """The facts, their addresses named by the ELF file whose SHA-256 the last boot printed."""
    digest = ""
    for fact in facts:
        digest = str(fact.raw.get("elf_sha256", digest))
        if fact.kind == "event":
            fact = replace(fact, values=symbols.named(fact.values, digest), raw=symbols.records(fact.raw, digest))
        yield fact


def _print_summary(facts: Iterator[Fact], console: Console) -> None:
    """One row for each thing that was printed about: where, and its first and last numbers."""
    from rich.console import Console as Terminal  # drawing costs a tenth of a second to load
    from rich.table import Table

    seen: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        key = fact.kind, "/".join(fact.names)
        pair = seen.setdefault(key, [fact, fact])
        pair[1] = fact
    title = f"{console.system or 'unknown system'}: {read_of(console)}"
    if not seen:
        sys.stdout.write(title + "\n")
        return
    table = Table(title=title)
    for heading in ("kind", "name", "first line", "last line", "first", "last"):
        table.add_column(heading, overflow="fold")
    for (kind, name), (first, last) in seen.items():
        table.add_row(kind, name, str(first.line), str(last.end_line), _shown(first), _shown(last))
    Terminal().print(table)


def _shown(fact: Fact) -> str:
    return ", ".join(f"{name} {value}" for name, value in fact.values.items())
