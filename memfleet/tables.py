"""How the list commands print: rich tables for people, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memfleet.spans import seconds
from telemetry.clock import SET_FROM_MS
from telemetry.errors import UsageError
from telemetry.visible import visible, visible_json

STATE_STYLES = {"critical": "bold red", "warning": "yellow", "silent": "dim", "ok": "green", "info": "cyan"}
_PROSE = ("reason", "detail", "newest values (bytes)")
_GAP = "  "
_WIDE = 2_000  # a file or another program takes whole lines
_SPAN = re.compile(r"^([\d.]+\s*(ms|s|m|h|d|w))+$")
_NUMBER = re.compile(r"^\d{1,15}(\.\d{1,9})?$", re.ASCII)
_SECONDS = range(SET_FROM_MS // 1000, 100_000_000_000)
"""Whole numbers of today that are seconds: as milliseconds they would be of the first years after 1970."""


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    print(visible_json(json.dumps(value, indent=2, ensure_ascii=False)))  # noqa: T201 - the command's answer


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table; a column that begins with `>` is set to the right. Without rows: the sentence."""
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        console.print(Text(empty))
    elif (table := _set_straight(columns, lines, console.width)) is not None:
        console.print(table, soft_wrap=True)
    else:
        console.print(_folded(columns, lines))


def _set_straight(columns: Sequence[str], lines: Sequence[Sequence[Text]], width: int) -> Text | None:
    """The table where each row fits into one line, None where it does not: a fleet of thousands would take seconds if
    each of its cells were to be laid out."""
    if any("\n" in cell.plain for cells in lines for cell in cells):
        return None
    head = [Text(column.lstrip(">"), "bold") for column in columns]
    widths = [max(cell.cell_len for cell in cells) for cells in zip(head, *lines, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        return None
    return Text("\n").join(_line(columns, cells, widths) for cells in (head, *lines))


def _line(columns: Sequence[str], cells: Sequence[Text], widths: Sequence[int]) -> Text:
    parts: list[Text | str] = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        space = " " * (width - cell.cell_len)
        parts += (space, cell, _GAP) if column.startswith(">") else (cell, space, _GAP)
    return Text.assemble(*parts[:-1])


def _folded(columns: Sequence[str], lines: Sequence[Sequence[Text]]) -> Table:
    """The table with cells of several lines where the width wants it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        name = column.lstrip(">")
        right = column.startswith(">")
        table.add_column(name, justify="right" if right else "left", no_wrap=name not in _PROSE, overflow="fold")
    for cells in lines:
        table.add_row(*cells)
    return table


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    return Text("" if value is None else visible(str(value)))


def state(word: str) -> Text:
    """A state or severity in its colour."""
    return Text(visible(word), STATE_STYLES.get(word, ""))


def kib(size: float | None) -> str:
    """Bytes as KiB."""
    return "" if size is None else f"{round(size / 1024, 1) or 0.0:,.1f}"  # never -0.0


def used_of(used: int | None, limit: int | None) -> str:
    """`used / limit` in KiB."""
    if used is None:
        return ""
    return f"{kib(used)} / {kib(limit)}" if limit else kib(used)


def clock(time_ms: int | None) -> str:
    """Local time, to the second; empty when there is none."""
    if not time_ms:
        return ""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def moment_ms(text: str, now_ms: int, *, is_unset: bool = False) -> int:
    """A time as people give it: `10m`, `2h`, `1h30m` ago, `now`, a date with time, or since 1970 in ms or seconds. A
    number that is neither (a date without its hyphens) is refused, unless the clock of what is looked at may not have
    been set (`is_unset`)."""
    if text == "now":
        return now_ms
    if _NUMBER.match(text):
        time_ms = round(float(text) * 1000) if "." in text or int(text) in _SECONDS else int(text)
        if not is_unset and 0 < time_ms < SET_FROM_MS:
            raise UsageError(
                f"{text} as a time since 1970 is before 2000: give an age (10m, 2h, 3d) or a date (2026-11-20)"
            )
        return time_ms
    if _SPAN.match(text):
        return max(now_ms - int(seconds(text) * 1000), 0)  # nothing is older
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time: give an age (10m, 2h, 3d), 'now', 2026-11-20T13:45 or seconds since 1970"
        ) from None
