"""`memfleet report`: what happened since, and what people were told of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.spans import span_text
from memfleet.tables import clock, kib, moment_ms, print_json, print_table
from telemetry.clock import wall_ms


def command(
    device: Annotated[list[str] | None, typer.Argument(help="Names of devices; none: all.")] = None,
    since: Annotated[str, typer.Option(help="Since when: an age (12h, 14d), a date and time, s or ms.")] = "12h",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report each thing's boots, slope, verdict, suspect, hours left and gaps; the messages that went out; and which
    channels wait, since when, after how many tries and why. What has ended is over, with when and how.

    Named devices choose the things; messages and channels are those of the whole fleet.
    With `notify.mode = "shadow"` the messages are those that would have gone out.

    Example: [bold]memfleet report --since 14d[/bold]
    """
    client, start = Client(url, token_file), moment_ms(since, wall_ms())
    lines = client.get("report", start=start, device=device)["lines"]
    told = client.get("messages", start=start)
    if as_json:
        print_json({"lines": lines, **told})
        return
    print_table(
        ("verdict", "device", "kind", "name", ">boots", ">KiB/h", "95 %", "suspect", ">left", ">gaps", "reason"),
        (_row(line) for line in lines),
        "Nothing was read in that time.",
    )
    print("\nWhat people were told of the whole fleet:" if device else "")  # noqa: T201
    print_table(
        ("time", "message", "channels"),
        ((clock(one["made_ms"]), one["title"], _fared(one["channels"])) for one in told["messages"]),
        "Nobody was told of anything.",
    )
    if waiting := told["waiting"]:
        print()  # noqa: T201
        rows = (
            (one["channel"], one["messages"], clock(one["since_ms"]), one["tries"], one["error"]) for one in waiting
        )
        print_table(("channel", ">waiting", "since", ">tries", "error"), rows, "")


def _row(line: dict[str, Any]) -> tuple[Any, ...]:
    known = line["slope"] is not None
    ended_ms = line["ended_ms"]
    gaps = f"{line['gaps']} ({span_text(line['longest_gap_s'])})" if line["gaps"] else ""
    return (
        f"{line['verdict']}, over" if ended_ms else line["verdict"], line["device"], line["kind"],
        " / ".join(name for name in line["names"] if name),
        line["boots"] if line["samples"] else "", kib(line["slope"]) if known else "",
        f"{kib(line['slope_low'])} to {kib(line['slope_high'])}" if known else "", line["suspect"],
        _left(line["hours_left"]), gaps, f"{clock(ended_ms)}: {line['why']}" if ended_ms else line["why"],
    )  # fmt: skip


def _left(hours: float | None) -> str:
    return "" if hours is None else span_text(hours * 3600) if hours > 0 else "due by now"


def _fared(channels: dict[str, str]) -> str:
    return ", ".join(
        f"{name}: {'not sent (shadow)' if state == 'shadow' else state}" for name, state in channels.items()
    )
