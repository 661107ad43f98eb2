"""Maps from files: those that ship, by name, and a user's own, by path."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from agent.maps.homeassistant import SYSTEM, HomeAssistant
from agent.maps.mapfile import MapFile
from agent.maps.maps import Map, Maps, ready
from telemetry.errors import ConfigError
from telemetry.settings import convert, parse

_FOLDER = resources.files("agent.maps") / "shipped"


def shipped_names() -> list[str]:
    """Names of the maps that ship; Home Assistant's discovery is one of them, though it needs no file."""
    files = sorted(Path(file.name).stem for file in _FOLDER.iterdir() if file.name.endswith(".toml"))
    return [*files, SYSTEM]


def load_maps(names: Sequence[str] = ()) -> Maps:
    """Maps by name or path, a user's own before those that ship; without any, all that ship.

    ConfigError lists every fault of every file, and names that are neither a map nor a file.
    """
    wanted = list(names) or shipped_names()
    faults: list[str] = []
    maps = []
    for name in sorted(wanted, key=_ships):
        try:
            if name != SYSTEM:
                maps.append(_shipped(name) if _ships(name) else read_map(Path(name)))
        except ConfigError as error:
            faults += [f"{error.source}: {fault}" for fault in error.faults]
    if faults:
        raise ConfigError("maps", faults)
    return Maps(maps, HomeAssistant() if SYSTEM in wanted else None)


def read_map(path: Path) -> Map:
    """One map from a file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        known = ", ".join(shipped_names())
        raise ConfigError(str(path), [f"cannot be read ({error.strerror}); the maps that ship are {known}"]) from None
    return _parsed(data, str(path))


def _shipped(name: str) -> Map:
    shipped = _parsed((_FOLDER / f"{name}.toml").read_bytes(), name)
    for rule in shipped.rules:
        rule.shipped = True
    return shipped


def _ships(name: str) -> bool:
    return name in shipped_names()


def _parsed(data: bytes, source: str) -> Map:
    return ready(convert(MapFile, parse(data, source), source), source)
