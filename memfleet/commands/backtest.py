"""`memfleet backtest`: what the judge would have said of readings that are over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.json import encode

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.spans import seconds
from memfleet.tables import clock, moment_ms, print_json
from telemetry.clock import SET_FROM_MS, wall_ms
from telemetry.errors import UsageError
from telemetry.readings import NOT_JUDGED

if TYPE_CHECKING:
    from collector.judge.explaining_device import Explained
    from collector.judge.recorded import Recording
    from telemetry.readings import About, Reading

    Described = tuple[About, Reading]

_SILENT_S = 300.0
_STORED_SINCE = "14d"
_MOST_NAMED = 8
_SOME_NAMED = 3


def command(
    rules: Annotated[Path | None, typer.Argument(help="File of rules, TOML; left out: the rules that ship.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--input", help="Readings as `memfleet export` writes them, gzip or not; - for stdin."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="From: an age (10m, 2h, 3d), a date and time, s or ms; else 14d, or all of a file."
        ),
    ] = None,
    end: Annotated[str, typer.Option("--to", help="To: the same, or 'now'.")] = "now",
    tick: Annotated[
        str, typer.Option(help="How far ticks stand apart; auto: 1s for hours, a minute or more for weeks.")
    ] = "auto",
    silent_after: Annotated[
        str,
        typer.Option(help="A device that says nothing for so long is silent; auto: 5m, or three of its own periods."),
    ] = "auto",
    explain: Annotated[
        str | None, typer.Option(help="Say instead what is told of this device at the end, what is not, and why.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge stored history, or a file of readings; print each verdict, alert and incident as one line of JSON.

    Without --input the readings are those that a collector keeps. Lines of any device may stand in any order; of either
    those from --from to --to are judged. --explain shows, for each series of a device and each verdict, told or not:
    points kept and dropped, envelope, slope and interval, and every condition with what was measured, what was asked
    and whether it holds.

    Example: [bold]memfleet backtest my-rules.toml --input fleet.ndjson.gz > verdicts.ndjson[/bold]
    """
    import msgspec

    from collector.judge.backtest import Backtest
    from collector.judge.recorded import STDIN, batches, open_lines, record
    from collector.judge.rules import load_rules
    from telemetry.ndjson import time_of

    _refuse_recording(rules)
    judged, source = load_rules(rules), "standard input" if file == STDIN else str(file or url)
    with ExitStack() as files:
        lines: Iterable[bytes] = (
            open_lines(file, files) if file else _stored(Client(url, token_file), start or _STORED_SINCE, end, files)
        )
        recording = record(lines, files, time_of)
        if file and not recording.numbered:
            raise UsageError(f"{source}: there is no line in it; `memfleet export` writes such files")
        now_ms, is_unset = wall_ms(), recording.end_ms < SET_FROM_MS
        start_ms = recording.start_ms if start is None else moment_ms(start, now_ms, is_unset=is_unset)
        end_ms = recording.end_ms if end == "now" else moment_ms(end, now_ms, is_unset=is_unset)
        if recording.numbered and (start_ms > recording.end_ms or end_ms < recording.start_ms):
            there = f"from {clock(recording.start_ms)} to {clock(recording.end_ms)}"
            raise UsageError(f"{source}: no reading of that time; its readings are {there}")
        step_ms = _step_ms(recording, tick)
        test = Backtest(judged, _SILENT_S if silent_after == "auto" else seconds(silent_after), step_ms)
        readings = _within(recording.readings(paced=silent_after == "auto"), start_ms, end_ms)
        others: set[str] = set()
        if explain is not None:
            readings = _of_device(readings, explain, others)
        for said in test.run(batches(readings, max(start_ms, recording.start_ms), step_ms)):
            if explain is None:
                sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
        if explain is not None:
            found = list(test.explain(explain))
            if not found:
                raise UsageError(_nothing_of(explain, source, others))
            _print_explained(found, as_json)
    _report_refused(recording, source)


def _refuse_recording(rules: Path | None) -> None:
    """UsageError when readings stand where the file of rules belongs."""
    if rules is not None and {".ndjson", ".jsonl", ".gz"} & set(rules.suffixes):
        raise UsageError(f"{rules} holds no rules by its name; for readings say: memfleet backtest --input {rules}")


def _within(readings: Iterable[Described], start_ms: int, end_ms: int) -> Iterator[Described]:
    """Those of that time."""
    return (described for described in readings if start_ms <= described[1].time_ms <= end_ms)


def _of_device(readings: Iterable[Described], device: str, others: set[str]) -> Iterator[Described]:
    """The readings of one device; notes who else has some, and says at the end what is left out for that, and how many
    readings the judge leaves alone."""
    heard, flagged = False, 0
    flags: set[str] = set()
    for about, reading in readings:
        if reading.device != device:
            others.add(reading.device)
        else:
            left_alone = set(reading.flags) & set(NOT_JUDGED)
            heard, flagged, flags = True, flagged + bool(left_alone), flags | left_alone
            yield about, reading
    if flagged:
        sys.stderr.write(
            f"{flagged} readings carry the flag {' or '.join(sorted(flags))}: they are shown, not judged\n"
        )
    if heard and others:
        sys.stderr.write(f"{device} is judged by itself here: it is compared with no peers\n")


def _nothing_of(device: str, source: str, others: set[str]) -> str:
    named = ", ".join(sorted(others)[:_MOST_NAMED])
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return f"{source} has nothing of {device} in that time" + (f"; it speaks of {named}{more}" if named else "")


def _print_explained(found: list[Explained], as_json: bool) -> None:
    from memfleet.explained import sentences

    if as_json:
        print_json(json.loads(encode(found)))  # msgspec writes null for what has no end
        return
    for line in sentences(found):
        sys.stdout.write(line + "\n")


def _report_refused(recording: Recording, source: str) -> None:
    """What was left out; UsageError when that is everything."""
    nothing = recording.refusals and recording.refusals >= recording.numbered
    told = recording.refused[: _SOME_NAMED if nothing else None]
    for sentence in told:
        sys.stderr.write(f"left out: {source}, {sentence}\n")
    if nothing:
        wanted = "one JSON object a line, as `memfleet export` and `memfleet emulate --virtual` write them"
        raise UsageError(f"{source}: none of its {recording.numbered} lines could be read as a reading: {wanted}")
    if recording.refusals:
        more = f"... and {recording.refusals - len(told)} more; " if recording.refusals > len(told) else ""
        sys.stderr.write(f"{more}{recording.refusals} of {recording.numbered} lines were left out\n")


def _stored(client: Client, start: str, end: str, files: ExitStack) -> Iterator[bytes]:
    now_ms = wall_ms()
    return files.enter_context(client.lines("export", start=moment_ms(start, now_ms), end=moment_ms(end, now_ms)))


def _step_ms(recording: Recording, tick: str) -> int:
    """How far ticks stand apart: as told, or by the readings."""
    from collector.judge.recorded import tick_step_ms

    if tick == "auto":
        return tick_step_ms(recording.end_ms - recording.start_ms, recording.sampling_ms())
    step_ms = round(seconds(tick) * 1000)
    if not 1 <= step_ms <= 300_000:
        raise UsageError(f"--tick {tick}: from 1ms to 5m")
    return step_ms
