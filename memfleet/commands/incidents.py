"""`memfleet incidents`: what is wrong, one line a fault, on however many devices."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from collector.records import whole_story
from memfleet import desk
from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.spans import span_text
from memfleet.tables import clock, print_json, print_table, state
from telemetry.clock import wall_ms
from telemetry.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode="rich", invoke_without_command=True)


@app.callback()
def listing(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List open incidents; show, acknowledge or silence them; list silences and end them.

    Example: [bold]memfleet incidents --all[/bold]
    """
    if context.invoked_subcommand:
        return
    found = Client(url, token_file).get("incidents", active=not everything)["incidents"]
    if as_json:
        print_json(found)
        return
    print_table(
        ("severity", "status", "rule", "firmware", ">devices", "first", "since", ">for", "reason", "key"),
        ((state(one["severity"]), _status(one), one["rule"], one["firmware"], one["devices"], one["first"],
          clock(one["since_ms"]), span_text(_lasted_ms(one) / 1000), _story(one), one["key"])
         for one in found),
        "No incident." if everything else "No open incident.",
    )  # fmt: skip


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="Key of the incident, as the list prints it.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the alerts that belong to an incident, in the order in which they began.

    Example: [bold]memfleet incidents show 'heap-leak|esp32|1.5|heap|dram@1790032640500'[/bold]
    """
    found = Client(url, token_file).get("incident", key=key)
    if as_json:
        print_json(found)
        return
    print_table(
        ("status", "device", "since", "reason"),
        ((one["status"], one["device"], clock(one["since_ms"]), one["reason"]) for one in found["members"]),
        "No alert belongs to it any more.",
    )


@app.command()
def acknowledge(
    key: Annotated[str, typer.Argument(help="Key of the incident, as the list prints it.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Say that you know of an incident: it is not told again unless it gets worse, until it is over.

    Example: [bold]memfleet incidents acknowledge 'heap-leak|esp32|1.5|heap|dram@1790032640500'[/bold]
    """
    desk.acknowledge(Client(url, token_file), key)


@app.command()
def silence(
    rule: Annotated[str, typer.Option(help="Pattern of the rule.")] = "*",
    platform: Annotated[str, typer.Option(help="Pattern of the platform.")] = "*",
    firmware: Annotated[str, typer.Option(help="Pattern of the firmware: a rollout.")] = "*",
    device: Annotated[str, typer.Option(help="Pattern of the device: its alerts in whatever incident.")] = "*",
    span: desk.SpanOption = "1h",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Keep quiet about some incidents for a while: of a rule, a platform, a rollout, a device.

    Example: [bold]memfleet incidents silence --firmware 1.5.0 --for 2h[/bold]
    """
    desk.silence(Client(url, token_file), _pattern(rule, platform, firmware, device), span)


@app.command()
def silences(
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the silences in force, of incidents and of alerts.

    Example: [bold]memfleet incidents silences[/bold]
    """
    found = Client(url, token_file).get("silences")["silences"]
    if as_json:
        print_json(found)
        return
    rows = ((one["pattern"], clock(one["until_ms"]), one["by"]) for one in found)
    print_table(("pattern", "until", "by"), rows, "Nothing is silenced.")


@app.command()
def unsilence(
    pattern: Annotated[str, typer.Argument(help="Pattern, as 'memfleet incidents silences' prints it.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """End a silence before its time: what it kept back is told now, if it still holds.

    Example: [bold]memfleet incidents unsilence '*|*|1.5.0|*'[/bold]
    """
    desk.unsilence(Client(url, token_file), pattern)


def _pattern(rule: str, platform: str, firmware: str, device: str) -> str:
    """A pattern on the keys of incidents (rule|platform|firmware|...), or of a device's alerts (rule|device|...)."""
    for option, said in (("rule", rule), ("platform", platform), ("firmware", firmware), ("device", device)):
        if not said or "|" in said:
            raise UsageError(f"--{option} {said!r}: no {option} is called so; write a name, or a pattern as 'a*'")
    if device != "*":
        if (platform, firmware) != ("*", "*"):
            raise UsageError("--device goes with --rule alone: a device has one platform and one firmware")
        return f"{rule}|{device}|*"
    if (rule, platform, firmware) == ("*", "*", "*"):
        raise UsageError("say what to silence: --rule, --platform, --firmware or --device")
    if (platform, firmware) == ("*", "*"):
        return f"{rule}|*"  # of silence too, whose incidents go by agent
    return f"{rule}|{platform}|{firmware}|*"


def _status(one: dict[str, Any]) -> str:
    if one["status"] == "resolved":
        return "over"
    return desk.answered(one) or (f"{one['firing']} firing" if one["firing"] else "calm")


def _story(one: dict[str, Any]) -> str:
    return f"{one['worst']}: {whole_story(one['reason'], one.get('ended', ''))}"


def _lasted_ms(one: dict[str, Any]) -> int:
    end_ms = one["at_ms"] if one["status"] == "resolved" else wall_ms()
    return max(0, int(end_ms - one["since_ms"]))  # our clock may have gone back
