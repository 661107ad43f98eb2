"""What `memfleet` offers to other programs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import memfleet

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", memfleet.__all__)
def test_every_public_name_exists_and_is_the_one_of_its_home(name: str) -> None:
    public = getattr(memfleet, name)
    if isinstance(public, type):
        assert public.__name__ == name
        assert getattr(importlib.import_module(public.__module__), name) is public
        assert public.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Reding'"):
        memfleet.Reding  # noqa: B018


def test_public_names_are_listed_for_completion() -> None:
    assert set(memfleet.__all__) <= set(dir(memfleet))


@pytest.mark.parametrize(
    ("module", "packages"),
    [
        ("memfleet", {"numpy", "fastapi", "typer", "paho"}),
        ("memfleet.commands.collect", {"numpy", "nicegui", "influxdb_client", "apprise", "paho"}),
        ("collector.intake.process", {"numpy", "nicegui", "influxdb_client", "apprise"}),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(module: str, packages: set[str]) -> None:
    """A collector is half a dozen processes; each that loaded the page's packages would take 80 MB more."""
    program = f"import sys, {module}; print(sorted({packages} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n", done.stderr
