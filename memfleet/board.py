"""The fleet as a table in the terminal, for demo and watch. Pure: from the API's answers to what rich draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from telemetry.visible import visible

_COLOURS = {"critical": "bold red", "warning": "yellow", "silent": "magenta", "ok": "green"}
BAR = 12
_FEW = 3


def fleet_board(head: str, answer: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]], rows: int) -> RenderableType:
    """A line of totals and the worst devices with the reason of their alert; of a few devices every alert in full.
    `answer` is that of /api/v1/devices."""
    is_few = len(answer["devices"]) <= _FEW
    reasons = {alert["device"]: alert["reason"] for alert in reversed(alerts)}
    table = Table(box=None, pad_edge=False, header_style="dim", expand=not is_few)
    for name in ("state", "device", "platform", "firmware", "used", "", *(() if is_few else ("why",))):
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1 if name == "why" else None)
    for device in answer["devices"][:rows]:
        state = device["state"]
        table.add_row(
            Text(visible(state), _COLOURS.get(state, "")),
            *(Text(visible(device[name])) for name in ("device", "platform", "firmware")),
            *_fill(device.get("used"), device.get("limit")),
            *(() if is_few else (Text(visible(reasons.get(device["device"], ""))),)),
        )
    counts = ", ".join(f"{count} {state}" for state, count in answer["states"].items() if count)
    fleet = sum(answer["states"].values())
    found = "" if answer["total"] == fleet else f"{answer['total']} match, of "
    totals = f"{found}{fleet} device{'' if fleet == 1 else 's'}: {counts or 'none has reported yet'}"
    shown = {device["device"] for device in answer["devices"]}
    told = [_sentence(alert) for alert in alerts if alert["device"] in shown][:rows] if is_few else []
    return Group(Text(head, "bold"), Text(totals), table, *told)


def _sentence(alert: Mapping[str, Any]) -> Text:
    severity = alert["severity"]
    return Text.assemble(
        (visible(severity), _COLOURS.get(severity, "")), f"  {visible(alert['device'])}: {visible(alert['reason'])}"
    )


def _fill(used: int | None, limit: int | None) -> tuple[str, str]:
    if used is None:
        return "", ""
    if not limit:
        return "", f"{_kib(used)} KiB"
    full = min(BAR, round(BAR * used / limit))
    return "█" * full + "░" * (BAR - full), f"{_kib(used)} of {_kib(limit)} KiB"


def _kib(size: int) -> str:
    return f"{size / 1024:.0f}" if size >= 100 * 1024 else f"{size / 1024:.1f}"
