"""`memfleet check-config`: every fault of a configuration file at once, without starting anything."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from agent.config import AgentConfig
from agent.maps import load_maps
from agent.stations import check_masks
from collector.config import CollectorConfig
from collector.judge.rules import load_rules
from collector.notify.channels import make_channels
from collector.web.access import load_access
from memfleet.commands.init import CONFIGURATIONS, Role
from telemetry.errors import ConfigError, EnvironmentFault
from telemetry.mqtt import require_files
from telemetry.secrets import read_secret
from telemetry.settings import load_what_is_right


def command(
    file: Annotated[Path, typer.Argument(help="The configuration file of a collector or an agent.")],
    role: Annotated[Role | None, typer.Option(help="Whose it is; told by its settings when not given.")] = None,
    elsewhere: Annotated[bool, typer.Option("--elsewhere", help="Do not look for the files that it names.")] = False,
) -> None:
    """Name every fault of a configuration file, each with its place in the file.

    [bold]Example:[/bold] memfleet check-config collector.toml
    """
    role = role or role_of(file)
    config, faults = load_what_is_right(CONFIGURATIONS[role], file, os.environ)
    if config is not None and not elsewhere:
        faults += _faults_here(config, file)
    if faults:
        raise ConfigError(str(file), faults)
    typer.echo(f"{file}: good as the configuration of {'an agent' if role is Role.agent else 'a collector'}")


def role_of(file: Path) -> Role:
    """The role that knows most of the file's settings; what is wrong with the file otherwise is for `load` to say."""
    try:
        names = set(tomllib.loads(file.read_text()))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return Role.collector
    return max(Role, key=lambda role: len(names & set(CONFIGURATIONS[role].__struct_fields__)))


def _faults_here(config: Any, file: Path) -> list[str]:
    """What would keep it from starting on this machine: files that it names, rules, addresses, an open page."""
    faults, of_rules = list(_file_faults(config, "")), []
    if not faults:
        brokers = [config.broker, *(source.broker for source in getattr(config, "sources", ()))]
        faults += [fault for broker in brokers for fault in _faults_of(partial(require_files, broker))]
    if isinstance(config, CollectorConfig):
        rules = Path(config.judging.rules_file) if config.judging.rules_file else None
        faults += _faults_of(lambda: load_access(config.page))
        faults += _faults_of(lambda: make_channels(config.notify, str(file)))
        if rules is not None and rules.exists():
            of_rules = [f"{rules} {fault}" for fault in _faults_of(lambda: load_rules(rules))]
    if isinstance(config, AgentConfig):
        for number, source in enumerate(config.sources):
            faults += [f"sources[{number}].maps: {fault}" for fault in _faults_of(partial(load_maps, source.maps))]
        faults += _faults_of(partial(check_masks, config.capture))
        if config.elf_dir and not Path(config.elf_dir).is_dir():
            faults.append(f"elf_dir: {config.elf_dir}: no such folder")
    first: dict[str, str] = {}
    for fault in faults:
        first.setdefault(fault.split(": ")[0], fault)  # two checks may look at the same file: one fault for a setting
    return [*first.values(), *of_rules]


def _faults_of(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except ConfigError as error:
        return list(error.faults)
    return []


def _file_faults(value: Any, path: str) -> Iterator[str]:
    """Settings named `*_file` whose file cannot be read from here, and secrets that others can read."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _file_faults(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _file_faults(item, f"{path}[{index}]")
    elif path.endswith("_file") and value:
        try:
            if path.endswith(("password_file", "token_file")):
                read_secret(value)
            Path(value).open("rb").close()
        except EnvironmentFault as fault:
            yield f"{path}: {fault}"
        except OSError as error:
            yield f"{path}: {value}: {error.strerror}"
