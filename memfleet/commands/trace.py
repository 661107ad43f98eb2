"""`memfleet trace`: replay allocation traces on an emulated allocator."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from emulators.heap import ALLOCATORS, Allocator
from emulators.traces import InitialTable, Settings, Trace, compare, read_trace, replay
from emulators.traces.history import History, Limits, broken, history, summary
from emulators.traces.initial import replay_table
from emulators.traces.plot import chart_of, png, svg
from emulators.traces.recorded import Recorded, answer, record, replay_recorded, trace_of
from emulators.traces.text import write
from memfleet.options import must_be_writable
from telemetry.errors import EnvironmentFault, UsageError

_UNITS = {"": 1, "B": 1, "K": 1 << 10, "KIB": 1 << 10, "M": 1 << 20, "MIB": 1 << 20}
_STATS_ROWS = 1000
_USUAL = f"{Settings('tlsf').size >> 10}KiB"


@dataclass(frozen=True, slots=True)
class _Heap:
    """The heap as the command line has it; None leaves it to the file."""

    allocator: Allocator | None
    size: int | None

    def over(self, settings: Settings) -> Settings:
        """Settings with these put over them; with musl the size is the limit of all pages."""
        if self.allocator is not None:
            settings = replace(settings, allocator=self.allocator)
        if self.size is None:
            return settings
        return replace(settings, total_limit=self.size) if settings.paged else replace(settings, size=self.size)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to make of a replay: files to write, JSON on standard output, limits to keep."""

    plot: Path | None
    save: Path | None
    as_json: bool
    limits: Limits

    @property
    def history(self) -> bool:
        """Whether the heap must be looked at after each operation."""
        return self.plot is not None or self.limits != Limits()


def command(
    files: Annotated[
        list[Path], typer.Argument(help="Recorded traces, plain text traces or device logs, gzip or not.")
    ],
    allocator: Annotated[
        str | None,
        typer.Option(help=f"Replay on {', '.join(ALLOCATORS)}; else as recorded, or by the kind of log, or on tlsf."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help=f"Heap size as 65536 or 96KiB; for musl, of all its pages. Else as recorded, or {_USUAL}; musl: all."
        ),
    ] = None,
    compare_answers: Annotated[bool, typer.Option("--compare", help="Hold the answers against recorded ones.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, also where there is a summary.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw used, free and largest block as .png or .svg.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the operations as a plain text trace.")] = None,
    max_used: Annotated[str | None, typer.Option(help="Exit 1 when more is ever used.")] = None,
    min_largest: Annotated[str | None, typer.Option(help="Exit 1 when the largest free block is ever less.")] = None,
    max_failed: Annotated[int | None, typer.Option(min=0, help="Exit 1 when more allocations fail.")] = None,
) -> None:
    """Replay allocation traces on an emulated allocator, exactly as the device would answer.

    Recorded traces are printed with the answers in place; plain text traces and device logs are summed up.

    Example: memfleet trace my.trace --allocator tlsf --size 160KiB --plot out.png --max-failed 0
    """
    heap = _Heap(_allocator(allocator), _bytes("--size", size))
    limits = Limits(_bytes("--max-used", max_used), _bytes("--min-largest", min_largest), max_failed)
    wanted = _Wanted(plot, save, as_json, limits)
    if compare_answers:
        if heap != _Heap(None, None) or wanted != _Wanted(None, None, as_json, Limits()):
            raise UsageError("--compare replays traces as they were recorded; of all options it goes with --json alone")
        _compare(files, as_json)
        return
    if len(files) > 1 and (plot or save):
        raise UsageError("--plot and --save write one file: give one trace")
    if plot is not None:
        _picture_kind(plot)
        must_be_writable(plot)
    sentences = [sentence for file in files for sentence in _replay(file, heap, wanted)]
    for sentence in sentences:
        sys.stderr.write(f"memfleet: {sentence}\n")
    if sentences:
        raise typer.Exit(1)


def _compare(files: list[Path], as_json: bool) -> None:
    """One line for each file that differs, then the totals; exit status 1 when any differs."""
    results = [compare(str(file), _recorded(file)) for file in files]
    differing = [result for result in results if result.differences]
    totals = {
        "files": len(results),
        "operations": sum(result.operations for result in results),
        "differences": sum(result.differences for result in differing),
    }
    if as_json:
        rows = [{"file": one.source, "differences": one.differences, "first": one.first} for one in differing]
        sys.stdout.write(json.dumps({**totals, "differing": rows}) + "\n")
    else:
        for one in differing:
            sys.stdout.write(f"{one.source}: {one.first}\n")
        sys.stdout.write(", ".join(f"{count} {name}" for name, count in totals.items()) + "\n")
    if differing:
        raise typer.Exit(1)


def _recorded(file: Path) -> Recorded | InitialTable:
    document = _read(file)
    if isinstance(document, Trace):
        raise UsageError(f"{file}: --compare needs recorded answers; a plain text trace or a log has none")
    return document


def _replay(file: Path, heap: _Heap, wanted: _Wanted) -> Iterator[str]:
    """Replay one file and print what was asked for; gives a sentence for each limit that it broke."""
    document = _read(file)
    if isinstance(document, InitialTable):
        _print_json(replay_table(document))
        return
    trace = trace_of(str(file), document) if isinstance(document, Recorded) else document
    usual = document.settings() if isinstance(document, Recorded) else Settings(trace.allocator)
    settings = heap.over(usual)
    for note in trace.notes:
        sys.stderr.write(f"memfleet: {file}: {note}\n")
    if wanted.save is not None:
        _write(wanted.save, write(trace).encode())
    if isinstance(document, Recorded) and settings == usual:
        _print_json(replay_recorded(trace, document))
    elif isinstance(document, Recorded) or wanted.as_json:
        every = max(len(trace.operations) // _STATS_ROWS, 1)
        _print_json(answer(record(trace, settings, every), replay(trace, settings, every)))
    else:
        seen = history(trace, settings)
        _print_summary(trace, settings, seen)
        yield from _judge(trace, settings, wanted, seen)
        return
    if wanted.history:
        yield from _judge(trace, settings, wanted, history(trace, settings))


def _judge(trace: Trace, settings: Settings, wanted: _Wanted, seen: History) -> list[str]:
    if wanted.plot is not None:
        chart = chart_of(f"{Path(trace.source).name} on {settings.title}", seen)
        _write(wanted.plot, svg(chart) if _picture_kind(wanted.plot) == ".svg" else png(chart))
    return [f"{trace.source}: {sentence}" for sentence in broken(wanted.limits, seen)]


def _print_summary(trace: Trace, settings: Settings, seen: History) -> None:
    for name, text in [("heap", settings.title), *summary(trace, settings, seen)]:
        sys.stdout.write(f"{name:<15} {text}\n")


def _print_json(document: Recorded | InitialTable) -> None:
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")


def _picture_kind(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in (".png", ".svg"):
        raise UsageError(f"--plot {path}: expected a name that ends in .png or .svg")
    return kind


def _read(file: Path) -> Recorded | InitialTable | Trace:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    return read_trace(str(file), data)


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise EnvironmentFault(f"{file} cannot be written: {error.strerror}", retry=False) from error


def _allocator(name: str | None) -> Allocator | None:
    for known in ALLOCATORS:
        if known == name:
            return known
    if name is None:
        return None
    raise UsageError(f"--allocator {name}: expected one of {', '.join(ALLOCATORS)}")


def _bytes(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", text.strip())
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None or int(match[1]) * unit >= 1 << 32:
        raise UsageError(f"{option} {text}: expected bytes below 4 GiB, as 65536, 160KiB or 4MiB")
    return int(match[1]) * unit
