"""`memfleet devices`: the fleet, worst first; and what people say of devices: import, retire, move."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from memfleet.client import DEFAULT_URL, Client, JsonOption, TokenOption, UrlOption
from memfleet.inventory import read_inventory
from memfleet.tables import clock, print_json, print_table, state, used_of


class _ListsByDefault(TyperGroup):
    """Words that are no subcommand are words to find."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListsByDefault,
    add_completion=False,
    rich_markup_mode="rich",
    help="List the devices of a fleet, the worst first; import an inventory, retire and move devices.\n\n"
    "Example: [bold]memfleet devices kitchen --state critical[/bold]",
)


@app.command("list")
def listing(
    find: Annotated[
        str, typer.Argument(help="Words to find in name, platform, board, firmware, agent or a label.")
    ] = "",
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
                state(one["note"] or one["state"]),
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


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV: a column device, perhaps one agent; every other is a label.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Make devices known: whose they are, site, customer, ring or any other label. Who stays silent then is an alert.
    A device has the labels of the newest file that names it, and no others from before.

    Example: [bold]memfleet devices import inventory.csv[/bold]
    """
    listed = read_inventory(file)
    Client(url, token_file).post("devices/import", {"devices": listed, "by": getpass.getuser()})
    labels = sorted({label for one in listed for label in one["labels"]})
    devices = f"{len(listed)} device{'' if len(listed) == 1 else 's'}"
    typer.echo(f"{devices} listed; labels: {', '.join(labels) or 'none'}")


@app.command()
def retire(
    device: Annotated[str, typer.Argument(help="Its name.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Take a device out of service: it is no longer listed or judged. It comes back by speaking.

    Example: [bold]memfleet devices retire kitchen-1[/bold]
    """
    Client(url, token_file).post("devices/retire", {"device": device, "by": getpass.getuser()})
    typer.echo(f"{device} is retired; what it said stays until it is too old to keep")


@app.command()
def move(
    device: Annotated[str, typer.Argument(help="Its name.")],
    to: Annotated[str, typer.Option("--to", help="The agent that speaks for it from now on.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
) -> None:
    """Let another agent speak for a device; what that one sent too early waits in quarantine, to be retried.

    Example: [bold]memfleet devices move kitchen-1 --to gw-2[/bold]
    """
    client = Client(url, token_file)
    client.post("devices/move", {"device": device, "agent": to, "by": getpass.getuser()})
    if all(one["agent"] != to for one in client.get("agents")["agents"]):
        typer.echo(f"Nobody has heard of the agent {to} yet: 'memfleet agents' lists who was heard", err=True)
    typer.echo(f"{device} belongs to {to}; 'memfleet quarantine --agent {to} --reason owner' lists what waits")
