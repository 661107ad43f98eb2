"""A collector that is told to read its rules and channels anew: a real one, by a real signal."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.config import AgentConfig, Outbox
from agent.process import Agent
from telemetry.clock import wall_ms
from telemetry.readings import About, Reading
from telemetry.settings import Broker
from tests.memfleet.running import Collector
from tests.servers import mosquitto
from tests.waiting import said, wait_until

RULE = '[[rule]]\nname = "{}"\nkind = "heap"\nseverity = "warning"\nwhen = "free < {}"\nreason = "{{free:size}}"\n'
WRONG = RULE.replace("warning", "warn")


class Bench:
    """A collector with rules of its own, its process, and an agent with one device that is short of memory."""

    def __init__(self, folder: Path, url: str) -> None:
        self.rules = folder / "rules.toml"
        self.rules.write_text(RULE.format("low", 2000))
        self.collector = Collector(folder, url, stores=f'[judging]\nrules_file = "{self.rules}"')
        self.agent = Agent(
            AgentConfig(fleet="plant", name="gw", broker=Broker(url=url), outbox=Outbox(commit_ms=10)), folder / "agent"
        )

    def alerts(self) -> dict[str, Any]:
        """The open alerts by their rules, after one more reading."""
        reading = Reading("d-1", "heap", ("system",), wall_ms(), {"free": 1000}, 1, 1000)
        self.agent.take([About("d-1", 1, {"platform": "zephyr"}), reading])
        self.agent.drain(0.2)
        found = self.collector.get("/api/v1/alerts")
        return {one["rule"]: one for one in found["alerts"]} if found else {}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with mosquitto(tmp_path) as broker:
        made = Bench(tmp_path, broker.url)
        yield made
        made.agent.close()


def test_rules_are_read_anew_and_wrong_ones_are_refused_while_alerts_stay(bench: Bench) -> None:
    log = bench.collector.log
    with bench.collector.running() as process:

        def read_anew(until: Callable[[], object], what: str) -> None:
            process.send_signal(signal.SIGHUP)
            wait_until(until, what, log)

        before = wait_until(lambda: bench.alerts().get("low"), "the rule fires", log)
        bench.rules.write_text(WRONG.format("lower", 3000))
        read_anew(lambda: "rules and channels stay as they were: " in said(log), "the wrong rule is told")
        assert f"{bench.rules}: rule[0].severity: 'warn' is none of info, warning, critical" in said(log)
        assert "read anew" not in said(log)

        bench.rules.write_text(RULE.format("low", 2000) + RULE.format("lower", 3000))
        read_anew(lambda: "lower" in bench.alerts(), "the new rule fires")
        assert bench.alerts()["low"]["since_ms"] == before["since_ms"], "the old one goes on"

        bench.rules.write_text((RULE.format("low", 2000) + RULE.format("lower", 3000)).replace("warning", "critical"))
        read_anew(lambda: bench.alerts()["low"]["severity"] == "critical", "what fires matters as much as is written")
        assert bench.alerts()["low"]["since_ms"] == before["since_ms"]

        bench.rules.write_text(RULE.format("lower", 3000))
        read_anew(lambda: "low" not in bench.alerts(), "a rule that is gone fires no more")
        config = bench.collector.config
        config.write_text(config.read_text().replace('fleet = "plant"', 'fleet = "plant"\nsilent_after_s = 77'))
        read_anew(lambda: "silent_after_s changed, too: that wants a restart" in said(log), "that is told")
    assert "again in" not in said(log), "no part ended otherwise"
    assert process.returncode == 0
