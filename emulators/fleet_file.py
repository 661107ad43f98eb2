"""A fleet file, read with every fault told at once: those of its form and those of what it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulators.config import FleetConfig, Group, faults_of, repeated_names
from telemetry import settings
from telemetry.errors import ConfigError


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
    groups = config.groups if config else _sound_groups(document)
    for index, group in enumerate(groups):
        faults += faults_of(group, f"groups[{index}]") if group else []
    faults += repeated_names([group for group in groups if group])
    if config is None or faults:
        raise ConfigError(source, faults)
    return config


def _sound_groups(document: dict[str, Any]) -> list[Group | None]:
    """Of a document that cannot be converted as a whole, the groups that can; None for the others."""
    tables = document.get("groups")
    return [_group(table) for table in tables] if isinstance(tables, list) else []


def _group(table: Any) -> Group | None:
    try:
        return settings.convert(Group, table, "group") if isinstance(table, dict) else None
    except ConfigError:
        return None
