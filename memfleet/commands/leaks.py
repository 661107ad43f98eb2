"""`memfleet leaks`: what leaks, the one whose memory ends first on top."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.spans import span_text
from memfleet.tables import clock, kib, print_json, print_table, state

_MOST = 10_000


def command(
    device: Annotated[str | None, typer.Option(help="Of this device alone.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what leaks, with bytes an hour and the hours that are left, the shortest first.

    Exit status 1 when something does.

    Example: [bold]memfleet leaks --device bench-7[/bold]
    """
    found = Client(url, token_file).get("alerts", active=not everything, device=device, limit=_MOST)["alerts"]
    leaks = sorted((one for one in found if "leak_rate" in one["numbers"]), key=_urgency)
    if as_json:
        print_json(leaks)
    else:
        print_table(
            ("severity", "device", "what", ">KiB/h", ">left", "since", "reason"),
            (
                (
                    state(one["severity"]),
                    one["device"],
                    " ".join((one["kind"], *one["names"])),
                    kib(one["numbers"]["leak_rate"]),
                    _left(one["numbers"]),
                    clock(one["since_ms"]),
                    one["reason"],
                )
                for one in leaks
            ),
            "Nothing leaks.",
        )
    if leaks:
        raise typer.Exit(1)


def _urgency(alert: Mapping[str, Any]) -> tuple[float, float]:
    numbers = alert["numbers"]
    return numbers.get("leak_hours_left", math.inf), -numbers["leak_rate"]


def _left(numbers: Mapping[str, float]) -> str:
    hours = numbers.get("leak_hours_left")
    return "" if hours is None else span_text(hours * 3600)
