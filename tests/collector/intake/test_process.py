"""The intake process: ticks go on whatever somebody does to the wall clock; what lay at the broker is not misdated."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.framing import Framer
from agent.outbox import Outbox
from agent.process import Agent
from agent.publisher import Publisher
from collector.config import CollectorConfig
from collector.intake.process import CUT_OFF_MS, Intake
from collector.records import RETIRED, Arrival, Tick, decode
from collector.web.status import statuses, unready
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.mqtt import Message
from telemetry.readings import About, Reading
from telemetry.settings import Broker
from telemetry.topics import Topic, shard_of
from telemetry.wire import Block, Clock, Header, Rows, encode_body, seal
from tests.servers import free_port, mosquitto
from tests.waiting import step_until

HOUR_MS = 3_600_000
LAY_S, WHOLE_SECONDS_MS = 4.0, 1_500


class WrongClock:
    """The wall clock, as wrong as the test says."""

    def __init__(self) -> None:
        self.off_ms = 0

    def __call__(self) -> int:
        return wall_ms() + self.off_ms


def run_for(intake: Intake, ticks: int) -> None:
    """Step until so many more ticks are journaled."""
    wanted = intake.journal.last_id() + ticks
    step_until(intake.step, lambda: intake.journal.last_id() >= wanted, "the ticks go on")


def anchors(intake: Intake) -> list[int]:
    """Where the clocks of senders stand."""
    return [anchor_ms for (anchor_ms,) in intake.journal.db.execute("SELECT anchor_ms FROM anchors")]


def test_a_clock_that_is_set_does_not_stop_the_ticks(tmp_path: Path) -> None:
    clock = WrongClock()
    config = CollectorConfig(broker=Broker(url=f"mqtt://127.0.0.1:{free_port()}"))
    intake = Intake(config, tmp_path, clock)
    for off_ms in (0, -HOUR_MS, HOUR_MS):
        clock.off_ms = off_ms
        run_for(intake, 2)
    entries = [decode(frame.data) for frame in intake.journal.after(0, 100)]
    times = [entry.time_ms for entry in entries if isinstance(entry, Tick)]
    assert len(times) == 6
    assert abs(times[2] - times[1] + HOUR_MS) < HOUR_MS / 10, "a tick says what the wall clock says"
    assert abs(times[4] - times[3] - 2 * HOUR_MS) < HOUR_MS / 10
    intake.close()


def test_a_broker_out_of_reach_is_said_after_a_while_and_no_longer_when_it_is_back(tmp_path: Path) -> None:
    def reasons() -> list[str]:
        now_ms = wall_ms()
        return [one for one in unready(statuses(tmp_path, (), now_ms), now_ms) if "no agent is heard" in one]

    port = free_port()
    intake = Intake(CollectorConfig(broker=Broker(url=f"mqtt://127.0.0.1:{port}")), tmp_path)
    run_for(intake, 1)
    assert reasons() == [], "a broker that starts again is not yet out of reach"
    intake._up_at -= CUT_OFF_MS
    run_for(intake, 1)
    (reason,) = reasons()
    assert "connection refused; is it running?" in reason
    with mosquitto(tmp_path / "broker", port=port):
        step_until(intake.step, lambda: intake.link.up and not reasons(), "it is back")
    intake.close()


def test_a_gateway_that_first_spoke_while_we_were_away_is_not_dated_by_our_return(tmp_path: Path) -> None:
    """Its frame lay at the broker, in our session."""
    with mosquitto(tmp_path / "broker") as server:
        config = CollectorConfig(broker=Broker(url=server.url))
        before = Intake(config, tmp_path / "collector")
        step_until(before.step, lambda: before.link.up, "the collector is known at the broker")
        run_for(before, 1)
        before.close()
        outbox, framer = Outbox(tmp_path / "outbox", 10**9), Framer(Clock("boot-1", None))
        framer.add(Reading("d1", "heap", ("h",), monotonic_ms(), {"free": 1}, 1))
        outbox.add([framer.close() or (b"", 0)], ("boot-1", monotonic_ms()))
        gateway = Publisher(outbox, config.broker, (config.fleet, "gw"), boot_id="boot-1")
        step_until(lambda: gateway.step(0.005), lambda: gateway.link.up, "the gateway is connected")
        began = time.monotonic()
        while time.monotonic() - began < LAY_S:
            gateway.step(0.05)
        gateway.close()
        after = Intake(config, tmp_path / "collector")
        step_until(after.step, lambda: bool(anchors(after)), "its frame has come")
        (anchor_ms,) = anchors(after)
        assert abs(anchor_ms - (wall_ms() - monotonic_ms())) <= WHOLE_SECONDS_MS
        after.close()


def test_devices_of_shards_that_have_moved_are_retired_here(tmp_path: Path) -> None:
    broker = Broker(url=f"mqtt://127.0.0.1:{free_port()}")
    gateways = ("gw-1", "gw-2")
    for shards in (None, [shard_of("gw-2")], [shard_of("gw-2")]):
        config = CollectorConfig(broker=broker, shards=shards)
        intake = Intake(config, tmp_path)
        if shards is None:
            for gateway in gateways:
                rows = [[0, None, 1]]
                block = Rows(f"of-{gateway}", 1, "heap", ("h",), 0, 1, wall_ms(), None, ("free",), rows)
                sealed = seal(Header(7, 1, 1, 0), encode_body([block]))
                intake.received(Message(str(Topic.of(config.fleet, gateway, "frame")), sealed, False, 1, 1))
        run_for(intake, 1)
        said = [(block.device, block.texts.get(RETIRED)) for block in blocks(intake) if isinstance(block, About)]
        assert said == ([] if shards is None else [("of-gw-1", "yes")])
        intake.close()


def test_a_collector_that_is_new_to_an_agent_asks_what_its_devices_are(tmp_path: Path) -> None:
    """Only readings come of a device that was described long ago, to a collector whose folder is lost."""
    with mosquitto(tmp_path / "broker") as server:
        config = CollectorConfig(broker=Broker(url=server.url))
        agent = Agent(AgentConfig(fleet=config.fleet, name="gw", broker=config.broker), tmp_path / "agent")
        about = About("d1", 1, {"platform": "esp32", "firmware": "1.2"})
        agent.take([about])
        for life in ("first", "second"):
            intake = Intake(config, tmp_path / life)
            agent.take([Reading("d1", "heap", ("h",), wall_ms(), {"free": 1}, 1)])
            agent.commit()

            def step(intake: Intake = intake) -> None:
                agent.step(0.005)
                intake.step()

            def known(intake: Intake = intake) -> list[str]:
                return [b.texts["firmware"] for b in blocks(intake) if isinstance(b, About) and b.texts]

            step_until(step, lambda: agent.publisher.idle and bool(known()), f"the {life} knows what it is")
            assert known() == ["1.2"]
            intake.close()
        agent.close()


def blocks(intake: Intake) -> list[Block]:
    """Everything that was taken in."""
    entries = [decode(frame.data) for frame in intake.journal.after(0, 1_000)]
    return [block for entry in entries if isinstance(entry, Arrival) for block in entry.blocks]


@pytest.mark.parametrize(
    ("names", "login", "said"),
    [
        (("collector", "collector"), "", ": it is plant-collector, too, and needs another name"),
        (("one", "two"), "lab", "; or another login than lab, if the broker takes logins for names"),
    ],
)
def test_two_collectors_of_one_name_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], login: str, said: str
) -> None:
    monkeypatch.setattr("telemetry.mqtt.RIVAL_S", 3.0)
    with mosquitto(tmp_path, configuration="use_username_as_clientid true\n" if login else "") as broker:
        twins = []
        for folder, name in zip(("one", "two"), names, strict=True):
            (tmp_path / folder).mkdir()
            config = CollectorConfig(fleet="plant", name=name, broker=Broker(url=broker.url, username=login))
            twins.append(Intake(config, tmp_path / folder))

        def step() -> None:
            for twin in twins:
                twin.step()

        def told() -> list[str]:
            now_ms = wall_ms()
            return [
                reason
                for name in ("one", "two")
                for reason in unready(statuses(tmp_path / name, (), now_ms), now_ms)
                if reason.endswith(said)
            ]

        step_until(step, lambda: told() != [], "one has lost its connection to the other")
        twins.pop().close()
        step_until(step, lambda: told() == [], "nobody takes it any more")
        twins.pop().close()
