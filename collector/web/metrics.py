"""`/metrics`: the files' counters in Prometheus' text format, read when asked for. No series per device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.web.status import ProcessStatus

_QUARANTINED = "quarantined_"  # these go down again when a body is retried

_ALL_QUARANTINED = "quarantined_rows"  # over all reasons

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(processes: Sequence[ProcessStatus], devices: Mapping[str, int], alerts: Mapping[str, int]) -> bytes:
    """The page for a scraper. `devices` are counted by state, `alerts` (open ones) by severity."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(processes, devices, alerts))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(
        self, processes: Sequence[ProcessStatus], devices: Mapping[str, int], alerts: Mapping[str, int]
    ) -> None:
        self._processes = processes
        self._devices = devices
        self._alerts = alerts

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from _process_metrics(self._processes)
        yield _gauge("memfleet_devices", "Devices by state.", "state", self._devices)
        yield _gauge("memfleet_alerts_open", "Open alerts by severity.", "severity", self._alerts)


def _process_metrics(processes: Sequence[ProcessStatus]) -> Iterator[Metric]:
    running = {one.process: int(one.running) for one in processes}
    yield _gauge("memfleet_process_running", "1 when the process has made its file.", "process", running)
    counts = CounterMetricFamily("memfleet_events", "What each process has counted.", labels=("process", "name"))
    quarantined = GaugeMetricFamily("memfleet_quarantined", "Rows refused and not retried since.", labels=("reason",))
    lag = GaugeMetricFamily("memfleet_lag_frames", "Frames not read yet.", labels=("process", "journal"))
    for one in processes:
        for name, value in one.counters.items():
            if name.startswith(_QUARANTINED) and name != _ALL_QUARANTINED:
                quarantined.add_metric((name.removeprefix(_QUARANTINED),), value)
            else:
                counts.add_metric((one.process, name), value)
        for journal, frames in one.lag_frames.items():
            lag.add_metric((one.process, journal), frames)
    yield counts
    yield quarantined
    yield lag
    there = [one for one in processes if one.running]
    behind = {one.process: one.behind_ms / 1000 for one in there if "readings" in one.lag_frames}
    yield _gauge("memfleet_lag_seconds", "Age of the oldest reading not read yet.", "process", behind)
    depth = {one.file: one.frames for one in there if one.frames is not None}
    yield _gauge("memfleet_journal_frames", "Frames held in a journal.", "file", depth)
    yield _gauge("memfleet_file_bytes", "Size of a file with its log.", "file", {one.file: one.bytes for one in there})
    stores = [one.store for one in there if one.store]
    held = {store.name: int(store.state == "held") for store in stores}
    yield _gauge("memfleet_store_held", "1 while a store waits for somebody to act.", "store", held)
    pending = {store.name: store.pending for store in stores}
    yield _gauge("memfleet_store_pending_rows", "Rows taken and not stored for good yet.", "store", pending)


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=(label,))
    for value_of, value in values.items():
        metric.add_metric((value_of,), value)
    return metric
