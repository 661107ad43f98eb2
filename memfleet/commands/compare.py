"""`memfleet compare`: does the new firmware need more memory than the old one? Exit status 1 when it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from collector.judge.comparing import counted
from collector.judge.reasons import size
from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.tables import moment_ms, print_json, print_table
from telemetry.clock import wall_ms
from telemetry.errors import UsageError

_OTHER_UPTIMES = (
    "The versions were not seen at the same uptimes (--json: older): a difference that more uptime makes is unclear."
)


def command(
    before: Annotated[str | None, typer.Argument(help="The firmware to measure against.")] = None,
    after: Annotated[str | None, typer.Argument(help="The firmware in question.")] = None,
    device: Annotated[str | None, typer.Option(help="Compare two boots of this one board instead.")] = None,
    boot: Annotated[list[int] | None, typer.Option(help="With --device: the two boots, the earlier first.")] = None,
    start: Annotated[str, typer.Option("--from", help="From: an age (10m, 2h, 3d), a date and time, s or ms.")] = "14d",
    end: Annotated[str, typer.Option("--to", help="To: the same, or 'now'.")] = "now",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two firmware versions over the devices that ran them: level, peak and growth of each heap, task, stack.

    Each device counts once, by the uptimes that both versions were seen at; a difference is told when a rank test over
    devices finds it (p < 0.05, corrected for the number of tests) and it is large enough to matter. The same are two
    whose difference is less than 5 % (64 bytes/hour of growth) by its 95 % interval; what shows neither is unclear.
    Where most devices ran both, each is compared with itself; where the versions ran on other boards, each board for
    itself. What only one of them has is added or removed. Exit status: 0 nothing is worse, 1 something is.

    Example: [bold]memfleet compare 1.4.1 1.5.0[/bold]
    """
    now_ms = wall_ms()
    span = {"start": moment_ms(start, now_ms), "end": moment_ms(end, now_ms)}
    client = Client(url, token_file)
    if device is not None:
        if before is not None or boot is None or len(boot) != 2:
            raise UsageError("with --device, give --boot twice and no firmware: --device D --boot 3 --boot 4")
        found = client.get("compare/boots", device=device, boot=boot, **span)["differences"]
        table = _boots_table
    elif before is None or after is None:
        raise UsageError("name two firmware versions, or --device and two --boot")
    else:
        found = client.get("compare", before=before, after=after, **span)["differences"]
        table = _versions_table
    if as_json:
        print_json(found)
    else:
        table(found)
    if any(one["verdict"] == "worse" for one in found):
        raise typer.Exit(1)


def _versions_table(found: list[dict[str, Any]]) -> None:
    print_table(
        ("verdict", "kind", "name", "measure", ">before", ">after", ">difference", ">95 %", ">effect", ">p",
         ">devices"),
        (
            (one["verdict"], one["kind"], _name(one), one["measure"], _size(one, "before"),
             _size(one, "after"), _size(one, "difference"), _interval(one), f"{one['effect']:+.2f}",
             f"{one['p_value']:.3g}", counted(one["devices"], one["is_paired"]))
            for one in found
        ),
        "The two versions have nothing in common that could be compared.",
    )  # fmt: skip
    _say_unclear(found)
    if any(one["older"] for one in found):
        print(_OTHER_UPTIMES)  # noqa: T201
    if any(one["verdict"] == "unknown" for one in found):
        print("unknown: so few devices cannot tell a difference from chance; four of each are the least.")  # noqa: T201


def _boots_table(found: list[dict[str, Any]]) -> None:
    print_table(
        ("verdict", "kind", "name", ">before", ">after", ">difference, 95 %"),
        (
            (one["verdict"], one["kind"], _name(one), size(one["before"]["level"]),
             size(one["after"]["level"]), _interval(one))
            for one in found
        ),
        "The two boots have nothing in common that could be compared.",
    )  # fmt: skip
    _say_unclear(found)
    print("One board and one boot each: the interval holds for these boots; another board may differ by more.")  # noqa: T201


def _say_unclear(found: list[dict[str, Any]]) -> None:
    if any(one["verdict"] == "unclear" for one in found):
        print("unclear: there may be none, or a difference that matters; more devices, or more time, tell.")  # noqa: T201


def _name(one: Mapping[str, Any]) -> str:
    marks = [one.get("of", ""), "free" if one.get("is_free") else ""]
    return " / ".join(one["names"]) + "".join(f" ({mark})" for mark in marks if mark)


def _interval(one: Mapping[str, Any]) -> str:
    return "" if one["low"] is None else f"{_size(one, 'low')} to {_size(one, 'high')}"


def _size(one: Mapping[str, Any], key: str) -> str:
    return "" if one[key] is None else f"{size(one[key])}{'/h' if one.get('measure') == 'growth' else ''}"
