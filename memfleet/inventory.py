"""Inventories as CSV: a column `device`, perhaps `agent`, every other column is a label. Every fault at once."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from telemetry.errors import ConfigError
from telemetry.topics import is_name


def read_inventory(path: Path) -> list[dict[str, Any]]:
    """Each line as {device, agent, labels}; empty cells are no labels. ConfigError names the lines that are wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), ["is not UTF-8 text"]) from None
    return parse_inventory(text, str(path))


def parse_inventory(text: str, source: str) -> list[dict[str, Any]]:
    """The same from text. Pure."""
    lines: list[list[str]] = []
    try:
        lines.extend(csv.reader(text.splitlines(keepends=True), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise ConfigError(source, [f"line {len(lines) + 1}: is not CSV: {error}"]) from None
    if not lines:
        raise ConfigError(source, ["is empty; the first line names the columns, one of them 'device'"])
    columns = [name.strip().lower() for name in lines[0]]
    if "device" not in columns or len(set(columns)) != len(columns) or "" in columns:
        raise ConfigError(source, [f"line 1: the columns are named once each, one of them 'device', not {lines[0]}"])
    faults: list[str] = []
    listed: dict[str, dict[str, Any]] = {}
    for number, cells in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in cells[len(columns) :]):
            counted = f"{len(cells)} cells under {len(columns)} columns"
            faults.append(f"line {number}: {counted}; a comma within a text wants quotes around it")
        elif any(cell.strip() for cell in cells):
            _take(dict(zip(columns, (cell.strip() for cell in cells), strict=False)), number, listed, faults)
    if not listed and not faults:
        faults.append("holds no device")
    if faults:
        raise ConfigError(source, faults)
    return list(listed.values())


def _take(cells: dict[str, str], number: int, listed: dict[str, dict[str, Any]], faults: list[str]) -> None:
    device, agent = cells.pop("device", ""), cells.pop("agent", "")
    if not is_name(device):
        faults.append(f"line {number}: {device!r:.80} cannot name a device: letters, digits, '_', '.', '-', at most 64")
    elif device in listed:
        faults.append(f"line {number}: {device} stands there a second time")
    elif agent and not is_name(agent):
        faults.append(f"line {number}: {agent!r:.80} cannot name an agent")
    else:
        labels = {label: text for label, text in cells.items() if text}
        listed[device] = {"device": device, "agent": agent, "labels": labels}
