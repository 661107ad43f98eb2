"""The store of VictoriaMetrics, on the real server: what it reads back, and what a kill -9 makes it forget."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from collector.config import StoreConfig
from telemetry.wire import Rows
from tests.collector.stores.made import ABOUT, T0, Journals, Running, counting, finding
from tests.servers import VictoriaMetrics, victoria_metrics

HEAP = 'memfleet_heap_free{device="esp-1"}'


def config(url: str, **changes: object) -> StoreConfig:
    values = {"name": "long", "kind": "victoriametrics", "url": url, "api": 2, "settle_s": 60, **changes}
    return StoreConfig(**values)  # type: ignore[arg-type]


def samples(server: VictoriaMetrics, match: str) -> list[tuple[int, float]]:
    return [
        pair for series in server.export(match) for pair in zip(series["timestamps"], series["values"], strict=True)
    ]


@pytest.mark.parametrize("api", [1, 2])
def test_numbers_events_and_verdicts_can_be_read_back_by_promql(tmp_path: Path, api: int) -> None:
    journals = Journals(tmp_path)
    event = Rows("esp-1", 1, "event", ("panic",), 0, 1, T0, 5, ("reason",), [[0, 0, "why"], [1, 1, "again"]])
    log = Rows("esp-1", 1, "log", (), 0, 1, T0, 5, ("level", "text"), [[0, 0, "W", "first\nsecond"]])
    journals.arrive([ABOUT, counting(600)], [event, log])
    journals.find(finding())
    with victoria_metrics(tmp_path) as server:
        running = Running(tmp_path, config(server.url, api=api))
        running.drain()
        assert sorted(samples(server, HEAP)) == [(T0 + n * 1000, n) for n in range(600)]
        (newest,) = server.promql(HEAP, T0 + 599_000)
        assert float(newest["value"][1]) == 599
        labels = {"fleet": "demo", "platform": "esp32", "heap": "internal, 8bit"}
        assert labels.items() <= newest["metric"].items()
        (slope,) = server.promql(f"deriv({HEAP}[5m])", T0 + 599_000)
        assert float(slope["value"][1]) == pytest.approx(1.0)
        (events,) = server.promql('sum_over_time(memfleet_event_count{type="panic"}[1m])', T0 + 5_000)
        assert float(events["value"][1]) == 2
        (verdict,) = server.promql('memfleet_verdict_slope{rule="leak",severity="critical"}', T0)
        assert float(verdict["value"][1]) == 1536.25
        names = {series["metric"]["__name__"] for series in server.export('{__name__!=""}')}
        assert not {name for name in names if name.endswith(("_reason", "_text", "_level"))}
        running.close()


def test_nothing_is_final_before_it_has_settled(tmp_path: Path) -> None:
    Journals(tmp_path).arrive([counting(50)])
    with victoria_metrics(tmp_path) as server:
        running = Running(tmp_path, config(server.url))
        running.drain()
        running.later(59_000)
        assert (running.report().pending, running.report().counters.get("stored_rows", 0)) == (50, 0)
        running.later(2_000)
        assert (running.report().pending, running.report().counters["stored_rows"]) == (0, 50)
        running.close()


def test_a_runner_that_dies_before_it_settled_writes_again_without_counting_twice(tmp_path: Path) -> None:
    Journals(tmp_path).arrive([ABOUT, counting(50)])
    with victoria_metrics(tmp_path) as server:
        first = Running(tmp_path, config(server.url))
        first.drain()
        first.store.close()  # and no close(): as if killed
        second = Running(tmp_path, config(server.url))
        second.drain()
        second.later(61_000)
        assert second.report().counters == {"accepted_rows": 50, "stored_rows": 50}
        (count,) = server.promql(f"count_over_time({HEAP}[1h])", T0 + 60_000)
        assert float(count["value"][1]) == 50
        second.close()


def test_what_a_killed_server_forgot_is_written_again_once_a_connection_was_refused(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    journals.arrive([ABOUT], *[[counting(10, start=n * 10)] for n in range(50)])
    with victoria_metrics(tmp_path) as server:
        running = Running(tmp_path, config(server.url, batch_rows=100))
        running.drain()
        server.kill()
        journals.arrive([counting(10, start=500)])
        running.later(1000)
        assert running.report().state == "waiting"
        server.start()
        running.later(60_000)
        assert sorted(set(samples(server, HEAP))) == [(T0 + n * 1000, n) for n in range(510)]
        running.later(61_000)
        report = running.report()
        assert (report.state, report.pending, report.counters["stored_rows"]) == ("ok", 0, 510)
        running.close()


def test_what_a_killed_server_forgot_is_written_again_when_only_its_start_time_tells(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    journals.arrive([ABOUT], [counting(200)])
    with victoria_metrics(tmp_path) as server:
        running = Running(tmp_path, config(server.url))
        running.drain()
        started = running.store.life()
        server.kill()
        while int(time.time()) == int(started or 0):  # it says its start in whole seconds
            time.sleep(0.05)
        server.start()
        assert running.store.life() != started
        running.later(1000)
        assert sorted(set(samples(server, HEAP))) == [(T0 + n * 1000, n) for n in range(200)]
        running.later(61_000)
        assert running.report().counters == {"accepted_rows": 200, "stored_rows": 200}
        running.close()


def test_a_path_before_the_write_path_is_kept_and_metrics_are_asked_at_the_root(tmp_path: Path) -> None:
    """As a cluster's writes go below a tenant: here the single node's own prefix of the same interface."""
    Journals(tmp_path).arrive([counting(5)])
    with victoria_metrics(tmp_path) as server:
        running = Running(tmp_path, config(f"{server.url}/influx/"))
        running.drain()
        running.later(61_000)
        assert (running.report().state, running.report().counters["stored_rows"]) == ("ok", 5)
        assert len(samples(server, HEAP)) == 5
        running.close()


@pytest.mark.parametrize(("dedup", "flags", "said"), [(True, (), ""), (False, (), "0s"), (False, ("30s",), "30s")])
def test_deduplication_is_checked(tmp_path: Path, dedup: bool, flags: tuple[str, ...], said: str) -> None:
    Journals(tmp_path).arrive([counting(1)])
    with victoria_metrics(tmp_path, *(f"-dedup.minScrapeInterval={flag}" for flag in flags), dedup=dedup) as server:
        running = Running(tmp_path, config(server.url))
        running.drain()
        warning = running.report().warning
        assert warning.startswith(
            f"deduplication is set to {said}: start it with -dedup.minScrapeInterval=1ms"
        ) == bool(said)
        assert bool(warning) == bool(said)
        running.close()
