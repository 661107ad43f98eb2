"""`memfleet holes`: stretches without readings, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.spans import span_text
from memfleet.tables import clock, moment_ms, print_json, print_table
from telemetry.clock import wall_ms


def command(
    device: Annotated[str | None, typer.Argument(help="Of this device alone.")] = None,
    since: Annotated[str, typer.Option(help="Since when: 24h, 7d, or a date with time.")] = "24h",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List stretches of time without readings, the newest first: frames that never came, and silence.

    Example: [bold]memfleet holes kitchen-1 --since 7d[/bold]
    """
    now_ms = wall_ms()
    query = {"device": device, "start": moment_ms(since, now_ms), "end": now_ms, "limit": 10_000}
    client = Client(url, token_file)
    holes = client.get("holes", **query)["holes"]
    if device and not holes:
        client.must_know(device)
    if as_json:
        print_json(holes)
        return
    print_table(
        ("device", "agent", "from", "to", ">for", "why"),
        ((one["device"], one["agent"], clock(one["from_ms"]) or "not known", clock(one["to_ms"]) or "lasts",
          _span(one, now_ms), _why(one)) for one in holes),
        "No hole: readings came without a break.",
    )  # fmt: skip


def _span(hole: dict[str, Any], now_ms: int) -> str:
    return span_text(((hole["to_ms"] or now_ms) - hole["from_ms"]) / 1000) if hole["from_ms"] else ""


def _why(hole: dict[str, Any]) -> str:
    if hole["cause"] == "silence":
        return "silence"
    frames = f"{hole['frames']} frame{'' if hole['frames'] == 1 else 's'} of its agent"
    return f"{frames} never came: its outbox was full or lost, or another collector has them"
