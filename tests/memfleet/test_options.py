"""What the options of many commands mean."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from agent.config import AgentConfig
from memfleet.options import outbox_folder
from tests.memfleet.running import run


def test_the_version_is_told_that_is_installed() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"memfleet {version('memfleet')}\n")


def test_what_publishes_beside_a_gateway_leaves_its_outbox_alone() -> None:
    settings = AgentConfig(name="replay", data_dir="/var/lib/gateway")
    assert outbox_folder(settings, None) == Path("/var/lib/gateway/replay")
    assert outbox_folder(settings, "here") == Path("here")


@pytest.mark.parametrize(
    "words",
    [
        ("discover", "--broker", "mqtt://127.0.0.1:9", "--force", "--write"),
        ("emulate", "--virtual", "1000d", "--out"),
        ("export", "--url", "http://127.0.0.1:9", "--out"),
    ],
    ids=lambda words: str(words[0]),
)
def test_a_file_that_cannot_be_written_is_said_before_the_work(words: tuple[str, ...], tmp_path: Path) -> None:
    for place, said in ((tmp_path, "Is a directory"), (tmp_path / "none" / "file", "No such file or directory")):
        done = run(*words, place)
        assert (done.returncode, done.stderr) == (1, f"memfleet: {place} cannot be written: {said}\n")
