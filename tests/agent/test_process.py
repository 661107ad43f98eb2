"""The agent and its outbox: one outbox is one agent's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.process import Agent
from telemetry.errors import UsageError
from telemetry.readings import NEVER_SILENT_S, SILENT_AFTER, About
from telemetry.settings import Broker
from telemetry.wire import decode_body


def config(name: str, fleet: str = "plant") -> AgentConfig:
    """Of an agent whose broker is away."""
    return AgentConfig(fleet=fleet, name=name, broker=Broker(url="mqtt://127.0.0.1:1"))


def test_what_waits_in_an_outbox_is_not_sent_under_another_name(tmp_path: Path) -> None:
    first = Agent(config("gw-1"), tmp_path)
    first.step(0)
    first.commit()
    first.close()
    waiting = first.outbox.depth
    for other in (config("replay"), config("gw-1", "another-fleet")):
        with pytest.raises(UsageError, match=rf"holds {waiting} frames of agent plant/gw-1 its collector does not"):
            Agent(other, tmp_path)
    again = Agent(config("gw-1"), tmp_path)
    assert (again.outbox.epoch, again.outbox.depth) == (first.outbox.epoch, waiting)
    again.close()


def test_all_devices_are_described_once_more_when_the_collector_asks(tmp_path: Path) -> None:
    agent = Agent(config("gw-1"), tmp_path)
    old, new, other = About("d1", 1, {"firmware": "1"}), About("d1", 2, {"firmware": "2"}), About("d2", 1)
    agent.take([old, other, new])
    agent.commit()
    for _ in range(2):  # the second comes too soon
        agent.publisher.describe = True
        agent.step(0)
        agent.commit()
    frames = agent.outbox.after(agent.outbox.base, 10)
    own = About("gw-1", 1, {}, {SILENT_AFTER: 90})
    assert [b for frame in frames for b in decode_body(frame.data) if isinstance(b, About)] == [own, new, other, own]
    agent.close()


def test_an_agent_that_takes_leave_says_that_nobody_needs_to_wait_for_it_or_its_devices(tmp_path: Path) -> None:
    agent = Agent(config("replay"), tmp_path)
    old, new = About("d1", 1, {"firmware": "1"}), About("d1", 2, {"firmware": "2"}, {"user_mode": 262_144})
    agent.take([old, new])
    agent.step(0)
    agent.commit()
    known = agent.outbox.last
    agent.take_leave()
    agent.commit()
    leave = [b for frame in agent.outbox.after(known, 10) for b in decode_body(frame.data)]
    never = {SILENT_AFTER: NEVER_SILENT_S}
    assert leave == [replace(new, limits=new.limits | never), About("replay", 1, {}, never)]
    agent.close()


def test_an_agent_that_is_renamed_begins_to_number_its_frames(tmp_path: Path) -> None:
    first = Agent(config("gw-1"), tmp_path)
    first.outbox.set_boot("d1", 3)
    first.commit()
    first.outbox.add([(b"x", 1)])
    first.outbox.acknowledged(first.outbox.last)
    first.outbox.close()
    for _ in range(2):
        renamed = Agent(config("bench"), tmp_path)
        assert renamed.outbox.epoch != first.outbox.epoch
        assert (renamed.outbox.base, renamed.outbox.boot_of("d1")) == (1, 3)
        renamed.outbox.close()
