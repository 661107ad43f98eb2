"""From reports to descriptions and readings: adds the device's name and its boot, and joins what belongs together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from agent.maps.held import Held
from agent.maps.life import Life, Verdict
from agent.maps.names import Memory, Names
from agent.maps.report import Measure, Report
from telemetry.pace import Pace
from telemetry.readings import MT3620_LIMIT, SILENT_AFTER, About, Reading, Value

NO_SIZE = 2**63
"""Larger than any size."""
JOIN_MS = 1_000
"""Values that come on topics of their own within this span are of one moment."""

Series = tuple[str, str, tuple[str, ...]]


class _Device:
    __slots__ = ("begun", "boot", "described", "heard", "life", "name", "new", "news", "pace", "patience_s", "texts")

    def __init__(self, name: str, boot: int, life: Life, pace: Pace) -> None:
        self.name = name
        self.boot = boot or 1
        self.new = not boot
        self.life = life
        self.pace = pace
        self.patience_s = 0
        self.texts = {"platform": "other"}
        self.heard: Mapping[str, str] = {}
        self.news = False
        self.begun = False
        self.described: dict[str, str] = {}

    def hear(self, texts: Mapping[str, str]) -> None:
        """Take over what a message says of it; its announced name is no label."""
        self.heard = texts
        self.texts |= {label: text for label, text in texts.items() if label != "name"}
        self.news = self.texts != self.described


class _Joined:
    __slots__ = ("first_ms", "resolution", "values")

    def __init__(self, first_ms: int) -> None:
        self.first_ms = first_ms
        self.values: dict[str, int] = {}
        self.resolution = 1


class Devices:
    """All devices of a source. A device begins with its first measurement: what only says hello is not in the fleet.

    `name_all`: give names to those too, for whoever lists what is there.
    """

    def __init__(self, memory: Memory, *, name_all: bool = False) -> None:
        self.names = Names(memory)
        self.held = Held()
        self._name_all = name_all
        self._memory = memory
        self._lives = memory.recall("life/")
        self._devices: dict[str, _Device] = {}
        self._joining: dict[Series, _Joined] = {}  # in the order in which they are due
        self.unnamed = 0

    def take(self, report: Report) -> list[About | Reading]:
        """What a report adds to the stream."""
        name = self.names.known(report)
        if not name:
            if not self._name_all and not self.names.knows(report):
                if not report.measures:
                    self.held.hold(report)
                    return []
                report = self.held.completed(report)
            name = self.names.device_of(report)
        if not name:
            self.unnamed += 1
            return []
        device = self._devices.get(name) or self._add(name)
        if report.texts is not device.heard and report.texts != device.heard:
            device.hear(report.texts)
        verdict = device.life.observe(report)
        if report.measures and device.pace.heard(report.time_ms, report.period_ms):
            device.news = True
        items: list[About | Reading] = []
        if verdict or device.news or not device.begun or report.boots is not None:
            items = self._tell(device, report, verdict)
            if not device.begun:
                return []
        for measure in report.measures:
            if report.partial:
                items += self._joined(device, measure, report.time_ms)
            else:
                items.append(self._reading(device, measure, report.time_ms))
        return items

    def _tell(self, device: _Device, report: Report, verdict: Verdict) -> list[About | Reading]:
        """What is to be told beside the measurements: a new boot, a new description."""
        items: list[About | Reading] = []
        if device.new and not device.begun:
            verdict = ""  # whatever it said while nobody knew it was of its first boot
        if verdict == "boot":
            items += self._begin_boot(device, report)
        begins = bool(report.measures) and not device.begun
        device.begun = device.begun or begins
        if verdict or begins or (report.boots is not None and device.begun):
            self._save(device)
        told = device.texts == device.described and device.pace.silent_after_s == device.patience_s
        if device.begun and (verdict == "boot" or not told):
            items += self._described(device, report)
        device.news = False
        return items + list(_events(device, report, verdict))

    def due(self, now_ms: int) -> list[About | Reading]:
        """Joined readings that wait for nothing any more."""
        items: list[About | Reading] = []
        for series, joined in list(self._joining.items()):
            if now_ms - joined.first_ms < JOIN_MS:
                break
            items.append(self._finished(series))
        return items

    def close(self) -> list[About | Reading]:
        """The joined readings that are left; what is known of each device is remembered."""
        for device in self._devices.values():
            self._save(device)
        return [self._finished(series) for series in list(self._joining)]

    def boot_of(self, name: str) -> int:
        """The boot that a device is in, 1 for one that has not been heard of."""
        return self._devices[name].boot if name in self._devices else 1

    def _add(self, name: str) -> _Device:
        device = self._devices[name] = _Device(name, self._memory.boot_of(name), *self._saved(name))
        return device

    def _saved(self, name: str) -> tuple[Life, Pace]:
        saved = self._lives.get(name)
        if saved is None:
            return Life(), Pace()
        uptime_ms, seen_ms, count, sleeps, *period_ms = json.loads(saved)
        return Life(uptime_ms, seen_ms, count, 0, sleeps, known=True), Pace(*period_ms)

    def _save(self, device: _Device) -> None:
        life = device.life
        self._memory.remember(
            f"life/{device.name}",
            json.dumps([life.uptime_ms, life.seen_ms, life.count, life.sleeps, device.pace.period_ms]),
        )
        self._memory.set_boot(device.name, device.boot)

    def _begin_boot(self, device: _Device, report: Report) -> list[About | Reading]:
        """What came before the boot belongs to the old one; of a burst that tells its uptime last, to the new one."""
        uptime = device.life.uptime_at(report.time_ms) or 0
        since_ms = report.time_ms - uptime
        older = [key for key, one in self._joining.items() if key[0] == device.name and one.first_ms < since_ms]
        items: list[About | Reading] = [self._finished(key) for key in older]
        device.boot += 1
        return items

    def _described(self, device: _Device, report: Report) -> Iterator[About | Reading]:
        device.described = dict(device.texts)
        device.patience_s = device.pace.silent_after_s
        limits = {"user_mode": MT3620_LIMIT} if device.texts["platform"] == "mt3620" else {}
        if device.patience_s:
            limits[SILENT_AFTER] = device.patience_s
        yield About(device.name, device.boot, device.described, limits)
        values: dict[str, Value] = {}
        uptime = device.life.uptime_at(report.time_ms)
        if uptime is not None:
            values["uptime"] = uptime
        if device.life.count is not None:
            values["boots"] = device.life.count
        if report.reset_reason:
            values["reset_reason"] = report.reset_reason
        values |= {name: device.texts[name] for name in ("firmware", "board", "os") if name in device.texts}
        if values:
            yield Reading(device.name, "device", (), report.time_ms, values, device.boot, uptime)

    def _joined(self, device: _Device, measure: Measure, now_ms: int) -> Iterator[Reading]:
        series = (device.name, measure.kind, measure.names)
        joined = self._joining.get(series)
        if joined is not None and not joined.values.keys().isdisjoint(measure.values):
            yield self._finished(series)
            joined = None
        if joined is None:
            joined = self._joining[series] = _Joined(now_ms)
        joined.values |= measure.values
        joined.resolution = max(joined.resolution, measure.resolution)

    def _finished(self, series: Series) -> Reading:
        joined = self._joining.pop(series)
        name, kind, names = series
        device = self._devices[name]
        return self._reading(device, Measure(kind, names, joined.values, joined.resolution), joined.first_ms)

    def _reading(self, device: _Device, measure: Measure, time_ms: int) -> Reading:
        return Reading(
            device.name, measure.kind, measure.names, time_ms, _agreeing(measure.values), device.boot,
            device.life.uptime_at(time_ms), (), measure.resolution,
        )  # fmt: skip


def _agreeing(values: Mapping[str, int]) -> Mapping[str, int]:
    """A watermark that was read a moment before what it marks may lie on the wrong side of it: it is moved there."""
    if values.get("min_free", 0) > values.get("free", NO_SIZE):
        return {**values, "min_free": values["free"]}
    if values.get("used", 0) > values.get("max_used", NO_SIZE):
        return {**values, "max_used": values["used"]}
    return values


def _events(device: _Device, report: Report, verdict: Verdict) -> Iterator[Reading]:
    if not verdict:
        return
    uptime = device.life.uptime_at(report.time_ms)
    values: dict[str, Value] = {"reason": report.reset_reason or "not told; its uptime or its count of boots shows it"}
    if report.reset_class:
        values["class"] = report.reset_class
    yield Reading(device.name, "event", (verdict,), report.time_ms, values, device.boot, uptime)
    if verdict == "boot" and report.reset_class == "panic":
        text: dict[str, Value] = {"text": report.reset_reason}
        yield Reading(device.name, "event", ("panic",), report.time_ms, text, device.boot, uptime)
