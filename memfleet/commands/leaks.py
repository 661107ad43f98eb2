"""`memfleet leaks`: what leaks, the one whose memory ends first on top."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.spans import span_text
from memfleet.tables import clock, kib, print_json, print_table, state
from telemetry.clock import wall_ms

_MOST = 10_000
_HOUR_MS = 3_600_000


def command(
    device: Annotated[str | None, typer.Option(help="Of this device alone.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what leaks, with KiB an hour and the time that is left of the forecast, the shortest first.

    Exit status 1 when something does.

    Example: [bold]memfleet leaks --device bench-7[/bold]
    """
    client = Client(url, token_file)
    found = client.get("alerts", active=not everything, device=device, limit=_MOST)["alerts"]
    if device and not found:
        client.must_know(device)
    leaks = sorted((one for one in found if "leak_rate" in one["numbers"]), key=_urgency)
    now_ms = wall_ms()
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
                    _left(one, now_ms),
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
    return _ends_ms(alert), -alert["numbers"]["leak_rate"]


def _ends_ms(alert: Mapping[str, Any]) -> float:
    """When memory ends by the forecast of the time at which it was told."""
    return float(alert["at_ms"] + alert["numbers"].get("leak_hours_left", math.inf) * _HOUR_MS)


def _left(alert: Mapping[str, Any], now_ms: int) -> str:
    left_s = (_ends_ms(alert) - now_ms) / 1000
    of_this_boot = not alert["restarts"] and (left_s > 0 or "leak_boots" not in alert["numbers"])
    if alert["status"] != "firing" or math.isinf(left_s) or not of_this_boot:
        return ""  # of several boots the forecast is that of each, from its start
    return span_text(left_s) if left_s > 0 else "due by now"
