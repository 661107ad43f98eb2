"""`memfleet discover`: which known systems publish at a broker, and the configuration that reads them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.maps import load_maps
from agent.maps.listening import Listener
from agent.maps.trial import Trial
from memfleet.lifeline import stop_on_signals
from memfleet.options import must_be_writable
from memfleet.spans import some_seconds
from memfleet.tables import print_table
from telemetry.clock import wall_ms
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.mqtt import Message
from telemetry.settings import Broker, convert
from telemetry.topics import require_name

_CONFIGURATION = """\
# Written by `memfleet discover`: {found}.
# memfleet agent --config {file}
fleet = {fleet}
name = {name}
data_dir = {data}

# The broker that the collector listens to.
[broker]
url = {to}
{to_access}
# The broker at which the devices publish. What they send with QoS 0 has no promise of delivery up to here.
[[sources]]
maps = {maps}
poll_s = 60

[sources.broker]
url = {url}
{access}"""


def command(
    broker: Annotated[str, typer.Option(help="Where the devices publish: mqtt://host:port.")],
    for_: Annotated[str, typer.Option("--for", help="How long to listen, as 30s or 5m.")] = "60s",
    write: Annotated[Path, typer.Option(help="Where to write the configuration of an agent.")] = Path("agent.toml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    to: Annotated[str | None, typer.Option(help="The collector's broker, when it is another one.")] = None,
    fleet: Annotated[str, typer.Option(help="Name of the fleet.")] = "fleet",
    name: Annotated[str, typer.Option(help="Name of the agent.")] = "maps",
    data: Annotated[str, typer.Option(help="Folder of the agent's outbox.")] = "/var/lib/memfleet-agent",
    username: Annotated[str, typer.Option(help="User name at the broker.")] = "",
    password_file: Annotated[str, typer.Option(help="File that holds the password.")] = "",
    ca_file: Annotated[str, typer.Option(help="With mqtts://: the authority to trust, PEM.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print the findings as one JSON object.")] = False,
) -> None:
    """Listen to a broker, list the known systems with their devices, and write an agent's configuration for them.

    No device is touched: what is retained tells at once who is there, the rest as it speaks.

    [bold]Example:[/bold] memfleet discover --broker mqtt://192.168.1.5:1883
    """
    if write.exists() and not force:
        raise UsageError(f"{write} exists; --force writes over it, or name another file with --write")
    must_be_writable(write)
    span_s = some_seconds("--for", for_)
    require_name(fleet, "fleet")
    require_name(name, "agent")
    trial = Trial(load_maps())
    access = {"username": username, "password_file": password_file, "ca_file": ca_file}
    settings = convert(Broker, {"url": broker, **access}, "the command line")

    def take(message: Message) -> None:
        trial.take(message.topic, message.payload, message.retained, wall_ms())

    listener = Listener(settings, "memfleet-discover", take)
    listener.listen(span_s, stop_on_signals().is_set)
    found = _found(trial)
    if found["systems"]:
        let_in = "".join(f"{setting} = {json.dumps(value)}\n" for setting, value in access.items() if value)
        text = _CONFIGURATION.format(
            found=", ".join(f"{count} {system}" for system, count in found["systems"].items()),
            file=write, fleet=json.dumps(fleet), name=json.dumps(name), data=json.dumps(data),
            to=json.dumps(to or broker), to_access="" if to else let_in, maps=json.dumps(found["maps"]),
            url=json.dumps(broker), access=let_in,
        )  # fmt: skip
        _write(write, text)
    _print(found, trial, str(write), as_json=json_)


def _found(trial: Trial) -> dict[str, Any]:
    """Systems with their devices, and the maps that are needed for them."""
    ours = {device: seen for device, seen in trial.seen.items() if seen.memory or seen.mac}
    systems = Counter(seen.system for seen in ours.values())
    maps = sorted({name for seen in ours.values() for name in seen.maps})
    devices = [
        {
            "device": device,
            "system": seen.system,
            "mac": seen.mac,
            "firmware": seen.texts.get("firmware", ""),
            "board": seen.texts.get("board", ""),
        }
        for device, seen in sorted(ours.items())
    ]
    return {"systems": dict(sorted(systems.items())), "maps": maps, "devices": devices}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror}", retry=False) from None


def _print(found: dict[str, Any], trial: Trial, path: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    if not found["systems"]:
        typer.echo(
            f"no device of a known system among {trial.messages} messages; listen longer with --for, or see what looks"
            " like memory with `memfleet map --broker`"
        )
        return
    typer.echo(f"{trial.messages} messages")
    print_table(("system", ">devices"), found["systems"].items(), "")
    typer.echo(f"wrote {path}; next: memfleet check-config {path} && memfleet agent --config {path}")
