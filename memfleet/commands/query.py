"""`memfleet query`: the readings of one series."""

from __future__ import annotations

from typing import Annotated

import typer

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.tables import clock, moment_ms, print_json, print_table
from telemetry.clock import wall_ms
from telemetry.errors import UsageError

_ELSEWHERE = {"event": "`memfleet show DEVICE` lists the newest", "log": "`memfleet logs DEVICE` shows the lines"}


def command(
    device: Annotated[str, typer.Argument(help="Name of the device.")],
    kind: Annotated[str, typer.Argument(help="process, heap, task, stack, pool, device or agent.")],
    name: Annotated[list[str] | None, typer.Argument(help="The heap, the thread, or the task and its heap.")] = None,
    start: Annotated[str, typer.Option("--from", help="From: an age (10m, 2h, 3d), a date and time, s or ms.")] = "1h",
    end: Annotated[str, typer.Option("--to", help="To: the same, or 'now'.")] = "now",
    points: Annotated[int, typer.Option(min=2, max=100_000, help="Most points; least and most are kept.")] = 1000,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the readings of one series, oldest first.

    Example: [bold]memfleet query kitchen-1 process --from 6h[/bold]
    """
    if kind in _ELSEWHERE:
        raise UsageError(f"kind {kind!r} has no points: {_ELSEWHERE[kind]}")
    now_ms = wall_ms()
    client = Client(url, token_file)
    answer = client.get(
        "points",
        device=device,
        kind=kind,
        name=name,
        start=moment_ms(start, now_ms),
        end=moment_ms(end, now_ms),
        max_points=points,
    )
    if not answer["t"]:
        client.must_know(device)
        _must_be_read(client, device, kind, name or [])
    if as_json:
        print_json(answer)
        return
    fields = list(answer["values"])
    print_table(
        ("time", ">boot", *(f">{field}" for field in fields)),
        zip(map(clock, answer["t"]), answer["boot"], *(answer["values"][field] for field in fields), strict=True),
        f"Nothing was read of {kind} {' '.join(name or ())} in that time.",
    )


def _must_be_read(client: Client, device: str, kind: str, name: list[str]) -> None:
    """UsageError when nothing of that name was ever read: an empty table would be taken for a quiet hour."""
    read = client.of_device(device, "/series")["series"]
    known = [" ".join(one["names"]) for one in read if one["kind"] == kind]
    if " ".join(name) not in known:
        what = f"{kind} {' '.join(name)}".strip()
        there = ", ".join(sorted(known)) or "nothing"
        raise UsageError(f"no {what} is read of {device}; of that kind is read: {there}")
