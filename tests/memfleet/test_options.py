"""What the options of many commands mean."""

from __future__ import annotations

from pathlib import Path

from agent.config import AgentConfig
from memfleet.options import outbox_folder


def test_what_publishes_beside_a_gateway_leaves_its_outbox_alone() -> None:
    settings = AgentConfig(name="replay", data_dir="/var/lib/gateway")
    assert outbox_folder(settings, None) == Path("/var/lib/gateway/replay")
    assert outbox_folder(settings, "here") == Path("here")
