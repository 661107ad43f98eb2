"""The network between agent, broker and collector: bad in each way a wire can be, and what is lost on it: nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.outbox import Outbox
from agent.publisher import Publisher
from telemetry import mqtt
from telemetry.settings import Broker
from tests.faults.proxy import proxy
from tests.faults.rig import rig
from tests.faults.run import Report, drained, verdict, wait_for_acks
from tests.servers import HOST, mosquitto
from tests.waiting import LIMIT_S, step_until

KEEPALIVE_S = 2
SLACK_S = 20
"""For a busy machine; with the keepalive that is not set here it would be 45 s."""


def test_a_black_hole_is_noticed_within_one_and_a_half_keepalives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "KEEPALIVE_S", KEEPALIVE_S)
    with mosquitto(tmp_path) as broker, proxy(broker.port) as between:
        publisher = Publisher(
            Outbox(tmp_path / "o", 10**9), Broker(url=f"mqtt://{HOST}:{between.port}"), ("plant", "rig")
        )
        _step_until(publisher, lambda: publisher.link.up)
        between.mode = "black_hole"
        began = time.monotonic()
        _step_until(publisher, lambda: not publisher.link.up, 1.5 * KEEPALIVE_S + SLACK_S)
        assert time.monotonic() - began >= KEEPALIVE_S / 2, "it is silence that was noticed"
        between.mode = "pass"
        _step_until(publisher, lambda: publisher.link.up)
        publisher.close()


def _step_until(publisher: Publisher, holds: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    step_until(lambda: publisher.step(0.02), holds, "the link goes up or down", limit_s=limit_s)


@pytest.mark.timeout(240)
def test_each_way_of_being_bad_loses_nothing(tmp_path: Path) -> None:
    with rig(tmp_path, agents=1) as under_test:
        wait_for_acks(under_test, 50)
        for between in ("agents", "intake"):
            for mode in ("slow", "slices", "black_hole"):
                under_test.proxies[between].mode = mode  # type: ignore[assignment]
                time.sleep(1)
                under_test.proxies[between].mode = "pass"
            under_test.proxies[between].cut()
            wait_for_acks(under_test, under_test.oracle.acked() + 20)
            under_test.proxies[between].reset()
            wait_for_acks(under_test, under_test.oracle.acked() + 20)
        under_test.rest()
        drained(under_test)
        report = verdict(under_test, Report())
        assert report.kept, report
        assert report.acked > 100
