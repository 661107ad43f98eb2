"""`memfleet map`: try maps on saved messages or on a broker, before anything is stored."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.maps import load_maps, shipped_names
from agent.maps.listening import Listener
from agent.maps.trial import Trial
from memfleet.lifeline import stop_on_signals
from memfleet.spans import some_seconds
from memfleet.tables import print_table
from telemetry.clock import wall_ms
from telemetry.errors import ConfigError, UsageError
from telemetry.mqtt import Message
from telemetry.settings import Broker, convert
from telemetry.visible import visible


def command(
    try_: Annotated[
        str | None, typer.Option("--try", help='Messages, one {"topic", "payload", "retained"} a line; - for stdin.')
    ] = None,
    broker: Annotated[str | None, typer.Option(help="Listen there instead: mqtt://host:port.")] = None,
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="A map that ships, or a file of your own; all that ship if none.")
    ] = None,
    for_: Annotated[str, typer.Option("--for", help="How long to listen, as 30s or 5m.")] = "60s",
    username: Annotated[str, typer.Option(help="User name at the broker.")] = "",
    password_file: Annotated[str, typer.Option(help="File that holds the password.")] = "",
    ca_file: Annotated[str, typer.Option(help="With mqtts://: the authority to trust, PEM.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="One reading a line, sizes in bytes.")] = False,
) -> None:
    """Show what maps make of messages: what they understand, what would be stored, what looks like memory and is not
    mapped. Nothing is stored.

    [bold]Example:[/bold] memfleet map --try messages.ndjson --map plant.toml
    """
    if try_ is None and broker is None:
        typer.echo("\n".join(shipped_names()))
        return
    if try_ is not None and broker is not None:
        raise UsageError("--try reads saved messages and --broker listens for new ones: give one of them")
    trial = Trial(_loaded(map_ or []))
    if try_ is not None:
        for line, message in _messages(try_):
            _show(trial, message, {"line": line}, json_)
    else:
        settings = convert(
            Broker,
            {"url": broker or "", "username": username, "password_file": password_file, "ca_file": ca_file},
            "the command line",
        )
        listener = Listener(settings, "memfleet-map", lambda message: _show(trial, message, {}, json_))
        listener.listen(some_seconds("--for", for_), stop_on_signals().is_set)
    trial.finish()
    if not json_:
        _print(trial)


def _loaded(names: list[str]) -> Any:
    try:
        return load_maps(names)
    except ConfigError as error:
        raise UsageError("\n".join(error.faults)) from None


def _show(trial: Trial, message: Message, place: dict[str, Any], as_json: bool) -> None:
    understood = trial.take(message.topic, message.payload, message.retained, wall_ms())
    for one in understood if as_json else ():
        head = place | {"topic": message.topic} | ({"retained": True} if message.retained else {})
        sys.stdout.write(json.dumps(head | one, ensure_ascii=False) + "\n")


def _messages(file: str) -> Iterator[tuple[int, Message]]:
    """The messages of a file, with their lines. Also as `mosquitto_sub -F %J` writes them."""
    try:
        lines = (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).splitlines()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _message(line, f"{file}:{number}")


def _message(line: bytes, place: str) -> Message:
    try:
        row = json.loads(line)
        topic, payload = row.get("topic") or "", row["payload"]
    except (ValueError, AttributeError, KeyError):
        raise UsageError(f'{place}: is no message; write {{"topic": ..., "payload": ..., "retained": ...}}') from None
    if not isinstance(topic, str):
        raise UsageError(f"{place}: topic is text, or null for a payload that came without one")
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return Message(topic, text.encode(), bool(row.get("retained") or row.get("retain")), 0, 0)


def _print(trial: Trial) -> None:
    """For people: what was understood, and tables of what is there, what would be stored and what no map reads."""
    counts = trial.maps.counts
    understood = counts["understood"] + counts["announcements"]
    typer.echo(
        f"{trial.messages} messages: {understood} understood, {counts['retained']} retained (no sample of now), "
        f"{counts['not_understood']} not understood"
    )
    if trial.maps.nameless_on:
        typer.echo(
            f"{counts['nameless']} are left out, since they do not say which device they are of: `device` in their map "
            f"finds nothing in them (the first came on {visible(trial.maps.nameless_on)})"
        )
    for title, columns, rows in _tables(trial):
        if rows:
            typer.echo(f"\n{title}")
            print_table(columns, rows, "")


def _tables(trial: Trial) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """Each with its title, its columns and its rows."""
    of_systems: dict[str, list[bool]] = {}
    for seen in trial.seen.values():
        of_systems.setdefault(seen.system, []).append(seen.memory)
    systems = [(system, len(those), sum(those)) for system, those in sorted(of_systems.items())]
    yield "What is there", ("system", ">devices", ">with memory"), systems
    stored = [
        (*of, ", ".join(f"{field} {value}" for field, value in reading.values.items()), reading.resolution)
        for of, reading in sorted(trial.stored.items())
    ]
    yield "What would be stored, in bytes", ("device", "kind", "name", "newest values", ">resolution"), stored
    hints = [(*of, value) for of, value in sorted(trial.hints.items())]
    yield "Looks like memory and is not mapped", ("topic", "path", ">value"), hints
