"""The floors of the house: who may import whom, and which packages each room may need."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BELOW = {
    "telemetry": set(),
    "agent": {"telemetry"},
    "collector": {"telemetry"},
    "emulators": {"telemetry"},
    "memfleet": {"telemetry", "agent", "collector", "emulators"},
}
"""Our own packages that each room may import, besides itself."""

GROUND = {"msgpack", "msgspec", "paho"}
AGENT = GROUND | {"serial", "zstandard"}
COLLECTOR = GROUND | {
    "PIL",
    "apprise",
    "fastapi",
    "httpx",
    "influxdb_client",
    "nicegui",
    "numpy",
    "prometheus_client",
    "pydantic",
    "starlette",
}
PACKAGES = {
    "telemetry": GROUND,
    "agent": AGENT | {"elftools"},
    "collector": COLLECTOR | {"httpx", "urllib3", "uvicorn", "zstandard"},
    "emulators": GROUND | {"PIL", "numpy"},
    "memfleet": AGENT | COLLECTOR | {"amqtt", "grafana_api", "requests", "rich", "typer", "urllib3", "uvicorn"},
}
"""Other packages that each room may import. The agent's list is what a gateway has to install."""


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import of a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by full name"
            yield node.lineno, (node.module or "").split(".")[0]


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_the_floors_below_it(room: str) -> None:
    allowed = BELOW[room] | {room}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {package}"
        for path in modules(room)
        for line, package in imported(path)
        if package in BELOW and package not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("room", PACKAGES)
def test_a_room_imports_only_the_packages_it_is_known_to_need(room: str) -> None:
    allowed = PACKAGES[room] | set(BELOW) | set(sys.stdlib_module_names)
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {package}"
        for path in modules(room)
        for line, package in imported(path)
        if package not in allowed
    ]
    assert not wrong


IMPORTS = """
import importlib, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {forbidden}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
for name in {names}:
    importlib.import_module(name)
print("all imported")
"""


def imports_without(forbidden: set[str], names: list[str]) -> None:
    """Import these modules where the forbidden packages are not installed."""
    program = IMPORTS.format(forbidden=sorted(forbidden), names=names)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "all imported\n", done.stderr


def test_the_agent_runs_where_only_its_own_packages_are_installed() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for room in ("telemetry", "agent")
        for path in modules(room)
    ]
    forbidden = set().union(*PACKAGES.values()) - AGENT
    assert {"numpy", "fastapi", "influxdb_client"} <= forbidden
    imports_without(forbidden, names)


def test_a_part_of_a_collector_does_not_load_the_command_line() -> None:
    imports_without({"typer", "pydantic", "rich"}, ["memfleet.part"])
