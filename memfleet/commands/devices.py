"""`memfleet devices`: the fleet, worst first."""

from __future__ import annotations

from typing import Annotated

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.tables import clock, print_json, print_table, state, used_of


def command(
    find: Annotated[str, typer.Argument(help="Words to find in name, platform, board, firmware or agent.")] = "",
    states: Annotated[
        list[str] | None, typer.Option("--state", help="critical, warning, silent or ok; may be repeated.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="mt3620, esp32, zephyr, freertos or other.")] = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the devices of a fleet, the worst first.

    Example: [bold]memfleet devices --state critical --state warning[/bold]
    """
    client = Client(url, token_file)
    devices = client.get_all("devices", "devices", text=find, state=states, platform=platform)
    if as_json:
        print_json(devices)
        return
    print_table(
        ("state", "device", "platform", "board", "firmware", ">used / limit, KiB", ">alerts", "last seen"),
        (
            (
                state(one["state"]),
                one["device"],
                one["platform"],
                one["board"],
                one["firmware"],
                used_of(one["used"], one["limit"]),
                one["alerts"] or "",
                clock(one["last_seen_ms"]),
            )
            for one in devices
        ),
        "No device matches." if find or states or platform else "No device has reported yet.",
    )
