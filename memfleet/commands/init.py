"""`memfleet init`: write a configuration file with every setting, its default and what it means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from agent.config import AgentConfig
from collector.config import CollectorConfig
from memfleet.setting_texts import Setting, settings_of
from telemetry.errors import EnvironmentFault, UsageError


class Role(StrEnum):
    """Who reads a configuration file."""

    collector = "collector"
    agent = "agent"


CONFIGURATIONS: dict[Role, type[msgspec.Struct]] = {Role.collector: CollectorConfig, Role.agent: AgentConfig}


def command(
    role: Annotated[Role, typer.Argument(help="Whose configuration: collector or agent.")] = Role.collector,
    file: Annotated[Path | None, typer.Argument(help="Where to write it; ROLE.toml when not given.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for its data; stands in the file as data_dir.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a configuration file with every setting, its default and what it means.

    [bold]Example:[/bold] memfleet init collector collector.toml --data ~/collector
    """
    path = file or Path(f"{role}.toml")
    if path.exists() and not force:
        raise UsageError(f"{path} exists; --force writes over it, or name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = template(CONFIGURATIONS[role])
        path.write_text(text if data is None else with_setting(text, "data_dir", str(data.absolute())))
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror}", retry=False) from None
    start = "agent" if role is Role.agent else "collect"
    typer.echo(f"wrote {path}; after your changes: memfleet check-config {path} && memfleet {start} --config {path}")


def template(kind: type[msgspec.Struct]) -> str:
    """A configuration file in which every setting stands as a comment, so that it says the defaults until changed."""
    about = " ".join((kind.__doc__ or "").split())
    hint = "Every setting stands at its default; take the '#' away to change one."
    return "\n".join([f"# {about}\n# {hint}\n", *_lines(kind, "", off="")])


def with_setting(text: str, name: str, value: str) -> str:
    """The template's text with a setting of the outermost table given."""
    lines = text.splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if line.startswith(f"#{name} = "))
    lines[place] = f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
    return "".join(lines)


def _lines(kind: type[msgspec.Struct], path: str, off: str) -> Iterator[str]:
    """Settings first, then the tables within; `off` comments out the heads of tables that hold required settings."""
    settings = settings_of(kind)
    for setting in settings:
        if setting.table is None:
            yield f"# {setting.text} Takes: {setting.values}.{' Required.' if setting.required else ''}"
            yield f"#{setting.name} = {_value(setting)}\n"
    for setting in settings:
        if setting.table is not None:
            name = f"{path}{setting.name}"
            yield f"\n# {setting.text}{' One such table for each.' if setting.many else ''}"
            inner = off or ("#" if setting.many else "")
            yield f"{inner}[[{name}]]\n" if setting.many else f"{inner}[{name}]\n"
            yield from _lines(setting.table, f"{name}.", inner)


def _value(setting: Setting) -> str:
    if setting.required:
        return '""'
    if setting.default is None:
        return "(not set)"
    return json.dumps(setting.default)  # text, numbers, booleans and flat lists are written alike in JSON and TOML
