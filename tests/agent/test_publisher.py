"""The publisher against a real broker: order, window, acks, silence of the collector, loss of the broker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.outbox import Outbox
from agent.publisher import HANG_UPS, STALL_MOST_MS, STALL_MS, WINDOW, Publisher
from telemetry.clock import monotonic_ms
from telemetry.messages import Ack, Status, decode, encode
from telemetry.mqtt import Link, Message, Session
from telemetry.settings import Broker
from telemetry.topics import Topic
from telemetry.wire import unseal
from tests.servers import Mosquitto, mosquitto
from tests.waiting import step_until

FLEET, AGENT = "plant", "rig"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as server:
        yield server


class Collector:
    """What a test plays: hears frames and acknowledges as it is told."""

    def __init__(self, broker: Mosquitto) -> None:
        self.heard: list[tuple[int, int]] = []
        self.status: Status | None = None
        session = Session("collector", tuple(str(Topic.of(FLEET, AGENT, name)) for name in ("frame", "status")))
        self.link = Link(Broker(url=broker.url), session, self, time.monotonic)
        wait(self, until=lambda: self.link.up)

    def connected(self) -> None:
        pass

    def received(self, message: Message) -> None:
        self.link.acknowledge(message)
        if message.topic.endswith("status"):
            self.status = decode(message.payload, Status)
        else:
            header, _ = unseal(message.payload)
            self.heard.append((header.seq, header.base))

    def published(self, number: int, failure: str) -> None:
        pass

    def ack(self, epoch: int, contig: int) -> None:
        self.link.publish(str(Topic.of(FLEET, AGENT, "ack")), encode(Ack(epoch, contig)))

    def step(self, timeout_s: float) -> None:
        self.link.step(timeout_s)


def wait(*parts: Collector | Publisher, until: Callable[[], bool]) -> None:
    """Drive both sides until it holds."""

    def step() -> None:
        for part in parts:
            part.step(0.005)

    step_until(step, until, "what the two sides are driven for")


@pytest.fixture
def collector(broker: Mosquitto) -> Iterator[Collector]:
    playing = Collector(broker)
    yield playing
    playing.link.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox", 10**9)


class Hand:
    """A clock that stands until a test moves it: nothing stalls because the machine is slow."""

    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


def hurried(times: int) -> Callable[[], int]:
    """A clock that runs so many times as fast."""
    return lambda: monotonic_ms() * times


def publisher_of(outbox: Outbox, broker: Mosquitto, clock_ms: Callable[[], int] | None = None) -> Publisher:
    """A publisher whose clock stands, or is another."""
    return Publisher(outbox, Broker(url=broker.url), (FLEET, AGENT), version="1", clock_ms=clock_ms or Hand())


def fill(outbox: Outbox, count: int) -> None:
    outbox.add([(b"body", 1)] * count)


def test_frames_go_in_order_and_only_a_window_ahead(broker: Mosquitto, collector: Collector, outbox: Outbox) -> None:
    fill(outbox, WINDOW + 10)
    publisher = publisher_of(outbox, broker)
    wait(publisher, collector, until=lambda: len(collector.heard) == WINDOW)
    assert [seq for seq, _ in collector.heard] == list(range(1, WINDOW + 1))
    assert outbox.base == 1, "the broker's own acknowledgement frees nothing"
    collector.ack(outbox.epoch, WINDOW)
    wait(publisher, collector, until=lambda: len(collector.heard) == WINDOW + 10)
    assert collector.heard[-1] == (WINDOW + 10, WINDOW + 1)
    collector.ack(outbox.epoch, WINDOW + 10)
    wait(publisher, collector, until=lambda: publisher.idle)
    publisher.close()


def test_an_ack_of_another_epoch_frees_nothing(broker: Mosquitto, collector: Collector, outbox: Outbox) -> None:
    fill(outbox, 3)
    publisher = publisher_of(outbox, broker)
    wait(publisher, collector, until=lambda: len(collector.heard) == 3)
    collector.ack(outbox.epoch + 1, 3)
    collector.ack(outbox.epoch, 1)
    wait(publisher, collector, until=lambda: outbox.base > 1)
    assert outbox.base == 2
    publisher.close()


def test_an_outbox_that_was_put_back_from_a_copy_goes_on_under_a_new_epoch(
    broker: Mosquitto, collector: Collector, tmp_path: Path
) -> None:
    image = Outbox(tmp_path / "image", 10**9)
    fill(image, 5)
    image.acknowledged(3)
    image.close()
    outbox = Outbox(tmp_path / "image", 10**9)  # meanwhile the collector has had up to 8 of it
    fill(outbox, 10)
    old = outbox.epoch
    publisher = publisher_of(outbox, broker)
    wait(publisher, collector, until=lambda: bool(collector.heard))
    assert [seq for seq, _ in collector.heard] == [collector.heard[0][0]], "one alone, until the collector has spoken"
    collector.ack(old, 8)
    wait(publisher, collector, until=lambda: outbox.epoch != old)
    held = outbox.depth
    assert held >= 12, "nothing is taken for what the collector has"
    wait(publisher, collector, until=lambda: len(collector.heard) == 1 + held)
    assert [seq for seq, _ in collector.heard[1:]] == list(range(1, held + 1))
    assert collector.status == Status(True, outbox.epoch, "1")
    collector.ack(old, 9)
    collector.ack(outbox.epoch, held)
    wait(publisher, collector, until=lambda: publisher.idle)
    publisher.close()


def test_while_the_collector_is_silent_only_the_oldest_is_sent_again(
    broker: Mosquitto, collector: Collector, outbox: Outbox
) -> None:
    fill(outbox, 5)
    clock = Hand()
    publisher = publisher_of(outbox, broker, clock)
    for count in (5, 6, 7):
        wait(publisher, collector, until=lambda count=count: len(collector.heard) == count)  # type: ignore[misc]
        clock.now_ms += STALL_MOST_MS
    assert [seq for seq, _ in collector.heard] == [1, 2, 3, 4, 5, 1, 1]
    collector.ack(outbox.epoch, 1)
    wait(publisher, collector, until=lambda: (5, 2) in collector.heard)
    publisher.close()


def test_who_is_here_and_who_has_gone_is_retained(broker: Mosquitto, collector: Collector, outbox: Outbox) -> None:
    publisher = publisher_of(outbox, broker)
    wait(publisher, collector, until=lambda: collector.status == Status(True, outbox.epoch, "1"))
    publisher.link.drop("lost")
    wait(collector, until=lambda: collector.status == Status(False, outbox.epoch, "1"))


def test_after_the_loss_of_the_broker_everything_is_sent_again(tmp_path: Path, outbox: Outbox) -> None:
    with mosquitto(tmp_path) as own:
        collector = Collector(own)
        fill(outbox, 4)
        publisher = publisher_of(outbox, own, hurried(10))
        wait(publisher, collector, until=lambda: len(collector.heard) >= 4)
        own.kill()
        wait(publisher, collector, until=lambda: not publisher.link.up and not collector.link.up)
        assert "closed the connection" in publisher.link.trouble
        before = len(collector.heard)
        own.start()
        wait(publisher, collector, until=lambda: (1, 1) in collector.heard[before:])
        collector.ack(outbox.epoch, 1)
        wait(publisher, collector, until=lambda: (4, 2) in collector.heard[before:])
        publisher.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [("mqtt://127.0.0.1:1", "connection refused; is it running?"), ("mqtt://no.such.host.invalid", "no such host")],
)
def test_an_unreachable_broker_is_one_clear_line(outbox: Outbox, url: str, sentence: str) -> None:
    publisher = Publisher(outbox, Broker(url=url), (FLEET, AGENT))
    wait(publisher, until=lambda: bool(publisher.link.trouble))
    assert publisher.link.trouble == f"broker {url}: {sentence}"


def test_a_collector_that_is_back_has_what_it_missed_sent_at_once(
    broker: Mosquitto, collector: Collector, outbox: Outbox
) -> None:
    fill(outbox, 6)
    clock = Hand()
    publisher = publisher_of(outbox, broker, clock)
    wait(publisher, collector, until=lambda: len(collector.heard) == 6)
    clock.now_ms += STALL_MS
    wait(publisher, collector, until=lambda: collector.heard[6:] == [(1, 1)])
    collector.ack(outbox.epoch, 0)  # what it says when it comes back and has nothing
    wait(publisher, collector, until=lambda: [seq for seq, _ in collector.heard[7:]] == [1, 2, 3, 4, 5, 6])
    collector.ack(outbox.epoch, 0)  # once a stall: an ack that was under way looks the same
    collector.ack(outbox.epoch, 2)
    wait(publisher, collector, until=lambda: outbox.base == 3)
    assert len(collector.heard) == 13
    publisher.close()


def test_a_frame_larger_than_the_broker_takes_is_set_aside_and_the_others_go(tmp_path: Path, outbox: Outbox) -> None:
    with mosquitto(tmp_path, configuration="max_packet_size 20000\n") as narrow:
        collector = Collector(narrow)
        outbox.add([(b"a" * size, 3) for size in (100, 40_000, 100)])
        publisher = publisher_of(outbox, narrow)
        wait(publisher, collector, until=lambda: len(collector.heard) == 1)
        collector.ack(outbox.epoch, 1)
        wait(publisher, collector, until=lambda: len(collector.heard) == 2)
        assert collector.heard == [(1, 1), (3, 3)]
        assert outbox.counters() == {"refused_frames": 1, "refused_rows": 3}
        assert publisher.link.connections == 1, "it is not found out by being hung up on"
        publisher.close()


def test_without_rights_at_the_broker_nothing_is_set_aside_and_all_goes_once_they_are_there(
    tmp_path: Path, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite elsewhere/#\n")
    with mosquitto(tmp_path, configuration=f"acl_file {acl}\n") as strict:
        collector = Collector(strict)
        fill(outbox, WINDOW + 10)
        clock = Hand()
        publisher = publisher_of(outbox, strict, clock)
        wait(publisher, collector, until=lambda: caplog.records)
        for _ in range(3):
            clock.now_ms += STALL_MOST_MS
            for _ in range(50):
                publisher.step(0.005)
        assert (outbox.depth, outbox.counters()) == (WINDOW + 10, {})
        assert [record.message.split(" (")[1].split(")")[0] for record in caplog.records] == ["Not authorized"]

        acl.write_text("topic readwrite #\n")
        os.kill(strict.pid, signal.SIGHUP)

        def all_came() -> bool:
            clock.now_ms += STALL_MS
            collector.ack(outbox.epoch, max((seq for seq, _ in collector.heard), default=0))
            return outbox.depth == 0

        wait(publisher, collector, until=all_came)
        wait(publisher, collector, until=lambda: collector.status == Status(True, outbox.epoch, "1"))
        publisher.close()
        collector.link.close()


def test_a_frame_that_a_broker_of_old_hangs_up_on_is_set_aside(tmp_path: Path, outbox: Outbox) -> None:
    with mosquitto(tmp_path, configuration="max_packet_size 20000\n") as narrow:
        collector = Collector(narrow)
        outbox.add([(b"a" * size, 3) for size in (100, 40_000, 100)])
        settings = Broker(url=narrow.url, protocol="3.1.1")
        publisher = Publisher(outbox, settings, (FLEET, AGENT), clock_ms=hurried(20))

        def third_came() -> bool:
            collector.ack(outbox.epoch, max((seq for seq, _ in collector.heard), default=0))
            return (3, 3) in collector.heard

        wait(publisher, collector, until=third_came)
        assert outbox.counters() == {"refused_frames": 1, "refused_rows": 3}
        assert publisher.link.connections > HANG_UPS, "it was tried again before"
        publisher.close()


def test_two_of_one_name_do_not_storm_the_broker(broker: Mosquitto, tmp_path: Path) -> None:
    clock = hurried(5)
    twins = [publisher_of(Outbox(tmp_path / name, 10**9), broker, clock) for name in ("one", "two")]
    wait(*twins, until=lambda: all(twin.link.connections for twin in twins))
    before, began = sum(twin.link.connections for twin in twins), clock()
    guess = f"is another program connected as {FLEET}-{AGENT}?"
    wait(*twins, until=lambda: any(guess in twin.link.trouble for twin in twins))
    wait(*twins, until=lambda: clock() - began >= 10_000)
    tries, seconds = sum(twin.link.connections for twin in twins) - before, (clock() - began) // 1000
    assert tries <= 2 * (seconds + 1), "at most one attempt a second each"
    for twin in twins:
        twin.close()
