"""`memfleet agents`: the gateways."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.spans import span_text
from memfleet.tables import clock, print_json, print_table

_GIB = 2**30


def command(url: UrlOption = DEFAULT_URL, token_file: TokenOption = None, as_json: JsonOption = False) -> None:
    """List the agents: connected or not, version, devices, what waits in the outbox, what was refused, disk, clock.

    Example: [bold]memfleet agents[/bold]
    """
    agents = Client(url, token_file).get("agents")["agents"]
    if as_json:
        print_json(agents)
        return
    columns = (
        "state", "agent", "version", ">devices", ">ports", ">outbox", ">oldest", ">evicted", ">not believed",
        "quarantined rows", ">disk free, GiB", "clock", "last seen",
    )  # fmt: skip
    print_table(columns, map(_cells, agents), "No agent has connected yet.")


def _cells(agent: dict[str, Any]) -> tuple[Any, ...]:
    values = agent["values"]
    disk, age_ms = values.get("disk_free"), values.get("oldest_age_ms")
    return (
        Text("connected", "green") if agent["online"] else Text("away", "bold red"),
        agent["agent"],
        values.get("version") or agent["version"],
        agent["devices"],
        values.get("ports"),
        values.get("outbox_depth"),
        span_text(age_ms / 1000) if age_ms else "",
        values.get("evicted") or "",
        sum(values.get(reason) or 0 for reason in ("cut_numbers", "cut_names", "long_lines")) or "",
        ", ".join(f"{rows:,} {reason}" for reason, rows in agent["quarantined"].items()),
        f"{disk / _GIB:,.1f}" if disk is not None else "",
        Text(agent["clock"], "bold red" if agent["clock"].endswith(("behind", "ahead")) else ""),
        clock(agent["seen_ms"]),
    )
