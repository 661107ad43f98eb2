"""The agent's reading of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.framing import Framer, bodies
from agent.outbox import Outbox
from agent.process import Agent
from agent.report import Report, system_clock_state
from telemetry.readings import Reading, fault_of
from telemetry.settings import Broker
from telemetry.wire import Rows, decode_body

T0 = 1_795_000_000_000


def put(outbox: Outbox, time_ms: int, text: str = "") -> None:
    """One reading of a device, as a frame of its own."""
    framer = Framer()
    values = {"free": 100} if not text else {"text": text}
    bodies([Reading("d1", "log" if text else "heap", () if text else ("h",), time_ms, values)], framer)
    body = framer.close()
    assert body is not None
    outbox.add([body])


def test_it_tells_of_outbox_disk_clock_and_ports(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.journal", 2**20)
    ups = iter((50, 60, 31_050))
    report = Report("gw-1", "1.2.3", outbox, lambda: "synchronised", lambda: next(ups))
    assert report.reading(T0, tmp_path).values["oldest_age_ms"] == 0
    put(outbox, T0 + 1_000)
    put(outbox, T0 + 5_000)
    reading = report.reading(T0 + 31_000, tmp_path, {"ports": 3, "cut_numbers": 1})
    disk_free = reading.values["disk_free"]
    assert isinstance(disk_free, int)
    assert disk_free > 0
    assert reading == Reading(
        "gw-1",
        "agent",
        (),
        T0 + 31_000,
        {
            "outbox_depth": 2,
            "oldest_age_ms": 30_000,
            "evicted": 0,
            "disk_free": disk_free,
            "clock": "synchronised",
            "version": "1.2.3",
            "ports": 3,
            "cut_numbers": 1,
        },
        boot=1,
        uptime_ms=31_000,
    )
    assert fault_of("agent", reading.values) is None


def test_it_counts_evictions_and_its_own_starts(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.journal", 4_000)
    for second in range(40):
        put(outbox, T0 + second, text="x" * 500)
    outbox.close()
    again = Outbox(tmp_path / "outbox.journal", 4_000)
    Report("gw-1", "", again, lambda: "unknown")
    reading = Report("gw-1", "", again, lambda: "unknown").reading(T0 + 100, tmp_path)
    evicted = reading.values["evicted"]
    assert isinstance(evicted, int)
    assert evicted > 20
    assert evicted + again.depth == 40
    assert reading.boot == 2
    assert again.boot_of("gw-1") == 0  # a device of the same name would count its own


@pytest.mark.parametrize("asked", [True, False])
def test_it_tells_an_end_that_was_asked_for_from_one_that_was_not(asked: bool, tmp_path: Path) -> None:
    config = AgentConfig(fleet="plant", name="gw-1", broker=Broker(url="mqtt://127.0.0.1:1"))
    Agent(config, tmp_path).close(asked=asked)
    for reason in ("stopped by its user" if asked else None, None):  # of the second end nobody was told
        outbox = Outbox(tmp_path / "outbox.journal", 10_000)
        assert Report("gw-1", "", outbox, lambda: "unknown").reading(T0, tmp_path).values.get("reset_reason") == reason
        outbox.close()


def test_every_agent_sends_it(tmp_path: Path) -> None:
    config = AgentConfig(fleet="plant", name="gw-1", broker=Broker(url="mqtt://127.0.0.1:1"), clock="monotonic")
    agent = Agent(config, tmp_path, "1.2.3")
    agent.step(0)
    agent.commit()
    (frame,) = agent.outbox.after(0, 10)
    rows = [block for block in decode_body(frame.data) if isinstance(block, Rows)]
    assert [(block.device, block.kind) for block in rows] == [("gw-1", "agent")]
    assert dict(zip(rows[0].fields, rows[0].rows[0][2:], strict=True))["clock"] == "untrusted"
    agent.close()


def test_the_kernel_is_asked_for_the_clock() -> None:
    assert system_clock_state() in ("synchronised", "unsynchronised", "unknown")
