"""`memfleet show`: one device with everything that is read of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.tables import clock, print_json, print_table, state, used_of
from telemetry.clock import wall_ms
from telemetry.readings import labels_of

_MOST_EVENTS = 10
_EVENTS_MS = 14 * 86_400_000


def command(
    device: Annotated[str, typer.Argument(help="Name of the device.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one device: what it is, its open alerts, the newest values of all that is read of it, and the newest events
    of the last two weeks.

    Example: [bold]memfleet show kitchen-1[/bold]
    """
    client = Client(url, token_file)
    row = client.of_device(device)
    series = client.of_device(device, "/series")["series"]
    since_ms = wall_ms() - _EVENTS_MS
    events = client.get("events", device=device, start=since_ms, limit=_MOST_EVENTS)["events"]
    if as_json:
        print_json(row | {"series": series, "events": events})
        return
    _print_facts(row)
    if row["open_alerts"]:
        _print_below(
            ("alert", "of", "since", "reason"),
            (
                (state(one["severity"]), " ".join((one["kind"], *one["names"])), clock(one["since_ms"]), one["reason"])
                for one in row["open_alerts"]
            ),
            "",
        )
    _print_below(
        ("kind", "name", "newest values (bytes)"),
        ((one["kind"], " ".join(one["names"]), _values(one["values"])) for one in series),
        "Nothing is read of it yet.",
    )
    if events:
        _print_below(
            ("event", "when", ">boot", "detail"),
            ((one["type"], clock(one["time_ms"]), one["boot"], _said(one["values"])) for one in events),
            "",
        )


def _print_below(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table, a line below what stands above it."""
    sys.stdout.write("\n")
    print_table(columns, rows, empty)


def _print_facts(row: dict[str, Any]) -> None:
    facts = (
        ("device", row["device"]),
        ("state", state(row["note"] or row["state"])),
        ("platform", row["platform"]),
        ("board", row["board"]),
        ("firmware", row["firmware"]),
        ("agent", row["agent"]),
        ("boot", row["boot"]),
        ("used / limit, KiB", used_of(row["used"], row["limit"])),
        ("last seen", clock(row["last_seen_ms"])),
        ("labels", "  ".join(f"{name}={text}" for name, text in labels_of(row["texts"] or {}).items())),
    )
    print_table(("", ""), ((name, value) for name, value in facts if value not in ("", None)), "")


def _values(values: dict[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in values.items() if value is not None)


def _said(values: dict[str, Any]) -> str:
    """What an event says: a sentence where it has nothing else."""
    return values["text"] if values.keys() == {"text"} else _values(values)
