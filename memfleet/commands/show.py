"""`memfleet show`: one device with everything that is read of it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.tables import clock, print_json, print_table, state, used_of


def command(
    device: Annotated[str, typer.Argument(help="Name of the device.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one device: what it is, its open alerts, and the newest values of all that is read of it.

    Example: [bold]memfleet show kitchen-1[/bold]
    """
    client = Client(url, token_file)
    path = f"devices/{quote(device, safe='')}"
    row = client.get(path)
    series = client.get(f"{path}/series")["series"]
    if as_json:
        print_json(row | {"series": series})
        return
    _print_facts(row)
    if row["open_alerts"]:
        print_table(
            ("\nalert", "\nsince", "\nreason"),
            ((state(one["severity"]), clock(one["since_ms"]), one["reason"]) for one in row["open_alerts"]),
            "",
        )
    print_table(
        ("\nkind", "\nname", "\nnewest values (bytes)"),
        ((one["kind"], " ".join(one["names"]), _values(one["values"])) for one in series),
        "Nothing is read of it yet.",
    )


def _print_facts(row: dict[str, Any]) -> None:
    facts = (
        ("device", row["device"]),
        ("state", state(row["state"])),
        ("platform", row["platform"]),
        ("board", row["board"]),
        ("firmware", row["firmware"]),
        ("agent", row["agent"]),
        ("boot", row["boot"]),
        ("used / limit, KiB", used_of(row["used"], row["limit"])),
        ("last seen", clock(row["last_seen_ms"])),
    )
    print_table(("", ""), ((name, value) for name, value in facts if value not in ("", None)), "")


def _values(values: dict[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in values.items() if value is not None)
