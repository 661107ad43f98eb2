"""Fleet files: every fault at once, each with its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulators import fleet_file
from telemetry.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "deploy" / "fleet.toml"

BROKEN = """
seed = "seven"

[[groups]]
name = "a b"
board = "esp33"
workload = "steady"

[[groups]]
name = "plug"
board = "esp32"
workload = "stady"
colour = 1

[[groups]]
name = "meter"
board = "mt3620"
workload = "fragmentation"

[[groups]]
name = "meter"
board = "mt3620"
workload = "steady"
"""


def test_faults_of_form_and_of_what_is_named_come_together(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(BROKEN)
    with pytest.raises(ConfigError) as raised:
        fleet_file.read(file)
    paths = [fault.split(":")[0] for fault in raised.value.faults]
    assert paths == [
        "groups[1].colour",
        "seed",
        "groups[0].name",
        "groups[0].board",
        "groups[1].workload",
        "groups[2].workload",
        "groups",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [("groups = [", "is not TOML"), ("groups = 3", "groups: expected"), ("groups = []", "needs one at least")],
)
def test_a_file_that_holds_no_groups_is_told(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        fleet_file.read(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        fleet_file.read(tmp_path / "none.toml")


def test_the_example_is_sound() -> None:
    assert len(fleet_file.read(EXAMPLE).groups) >= 7
