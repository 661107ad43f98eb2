"""`memfleet export`: the readings that a collector keeps, as lines of JSON, a table or line protocol."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

from memfleet.client import DEFAULT_URL, Client, TokenOption, UrlOption
from memfleet.options import must_be_writable
from memfleet.tables import moment_ms
from telemetry.clock import wall_ms
from telemetry.errors import EnvironmentFault


def command(
    device: Annotated[list[str] | None, typer.Argument(help="Names of devices; none: all.")] = None,
    start: Annotated[str, typer.Option("--from", help="From: an age (10m, 2h, 3d), a date and time, s or ms.")] = "14d",
    end: Annotated[str, typer.Option("--to", help="To: the same, or 'now'.")] = "now",
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind of reading; may be given again.")] = None,
    format_: Annotated[
        Literal["ndjson", "csv", "line"],
        typer.Option(
            "--format", help="ndjson: one reading a line, as JSON; csv: a table of one --kind; line: InfluxDB's."
        ),
    ] = "ndjson",
    out: Annotated[Path | None, typer.Option(help="File to write; .gz packs it. Left out: standard output.")] = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Write the readings that a collector keeps, one a line, device by device.

    Lines of JSON are what `memfleet backtest` reads. The times of line protocol are milliseconds.

    Example: [bold]memfleet export kitchen-1 --from 7d --out kitchen.ndjson.gz[/bold]
    """
    if out is not None:
        must_be_writable(out)
    now_ms = wall_ms()
    asked = {"start": moment_ms(start, now_ms), "end": moment_ms(end, now_ms), "device": device, "kind": kind}
    with Client(url, token_file).lines("export", format=format_, **asked) as lines:
        written = _print(lines) if out is None else _write(lines, out)
    if written <= (format_ == "csv"):  # its first line is the head
        sys.stderr.write("no reading of that time is there\n")


def _print(lines: Iterable[bytes]) -> int:
    count = 0
    for line in lines:
        sys.stdout.write(line.decode() + "\n")
        count += 1
    return count


def _write(lines: Iterable[bytes], out: Path) -> int:
    count = 0
    try:
        with gzip.open(out, "wb") if out.suffix == ".gz" else out.open("wb") as file:
            for line in lines:
                file.write(line + b"\n")
                count += 1
    except OSError as error:
        raise EnvironmentFault(f"{out}: {error.strerror}", retry=False) from None
    return count
