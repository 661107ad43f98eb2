"""A fleet file, read with every fault told at once: those of its form and those of what it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulators.config import FleetConfig, Group, faults_between, faults_of
from telemetry import settings
from telemetry.errors import ConfigError

_NAMING = ("name", "board", "workload")
"""What is looked up of a group even if something else of it is at fault."""


def read(path: Path) -> FleetConfig:
    """The fleet that a file describes; ConfigError lists all that is wrong with it, each fault with its path."""
    return parse(settings.read(path), str(path))


def parse(document: dict[str, Any], source: str) -> FleetConfig:
    """The same of a document; `source` names it in the error."""
    faults: list[str] = []
    config = None
    try:
        config = settings.convert(FleetConfig, document, source)
    except ConfigError as error:
        faults += error.faults
    whole: list[Group] = []
    tables = document.get("groups")
    for index, table in enumerate(tables if isinstance(tables, list) else []):
        group = _group(table)
        whole += [group] if group else []
        named = group or _group({name: table[name] for name in _NAMING if name in table})
        faults += faults_of(named, f"groups[{index}]") if named else []
    faults += faults_between(whole) if whole or config else []
    if config is None or faults:
        raise ConfigError(source, faults)
    return config


def _group(table: Any) -> Group | None:
    """The group of a table, None where it cannot be converted."""
    try:
        return settings.convert(Group, table, "group") if isinstance(table, dict) else None
    except ConfigError:
        return None
