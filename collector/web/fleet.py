"""The fleet as the page and the API show it: who is worst, who matches a filter. One look at the series serves all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from collector.series import reader
from collector.series.reader import SILENT_AFTER_MS
from collector.series.rows import AlertRow, DeviceRow
from collector.web.answering import State
from collector.web.files import ReadOnlyFile
from telemetry.clock import monotonic_ms, wall_ms

STATES: tuple[str, ...] = get_args(State)

ORDERS = ("worst", "device", "platform", "firmware", "fullest", "heard")
"""What devices can be ordered by: the worst, the names, the fullest, the one heard most lately first."""

_SEVERITIES = ("critical", "warning", "info")
_HOUR_MS = 3_600_000
_MOST_ALERTS = 10_000
_LEAST_AGE_MS = 1_000
_SHARE = 10  # a look may cost a tenth of the time: in a fleet so large that it takes 300 ms, one every three seconds


@dataclass(frozen=True, slots=True)
class Fleet:
    """All devices, worst first, and the worst open alert of each that has one."""

    devices: Sequence[DeviceRow] = ()
    worst: Mapping[str, AlertRow] = field(default_factory=dict)
    alerts: Sequence[AlertRow] = ()

    def select(
        self, text: str = "", states: Sequence[str] = (), platform: str = "", order: str = "worst"
    ) -> list[DeviceRow]:
        """Devices of these states (none named: all) that hold every word of the text in one of their columns or
        labels.

        `order` is one of ORDERS, with a `-` before it the other way round; among equals the worst stay first.
        """
        words = text.lower().split()
        found = [
            device
            for device in self.devices
            if (not states or device.state in states)
            and (not platform or device.platform == platform)
            and (not words or _matches(device, words))
        ]
        return _ordered(found, order)

    def counts(self) -> dict[str, int]:
        """How many devices are in each state."""
        found = Counter(device.state for device in self.devices)
        return {state: found[state] for state in STATES}

    def open_alerts(self) -> dict[str, int]:
        """How many alerts of each severity are open."""
        found = Counter(alert.severity for alert in self.alerts)
        return {severity: found[severity] for severity in _SEVERITIES}


def build_fleet(devices: Sequence[DeviceRow], alerts: Sequence[AlertRow]) -> Fleet:
    """Order by state, then by when memory ends, then by how full they are: in tenths, so that rows keep still."""
    worst: dict[str, AlertRow] = {}
    for alert in sorted(alerts, key=_alert_rank):
        worst.setdefault(alert.device, alert)
    return Fleet(sorted(devices, key=lambda device: _device_rank(device, worst)), worst, alerts)


def fullness(device: DeviceRow) -> float | None:
    """Used share of the device's fullest memory, 0 to 1; None when it has told no limit."""
    if device.used is None or not device.limit:
        return None
    return device.used / device.limit


def memory_ends_ms(alert: AlertRow | None) -> float | None:
    """When memory ends, as was forecast when the alert was told; None when nothing was."""
    if alert is None:
        return None
    return next(
        (alert.at_ms + value * _HOUR_MS for name, value in alert.numbers.items() if name.endswith("hours_left")), None
    )


def left_ms(alert: AlertRow | None, now_ms: int) -> float | None:
    """How long until memory ends, as was forecast, 0 or less when it is due; None when nothing was, or when it was for
    a boot that is over."""
    ends_ms = memory_ends_ms(alert)
    if alert is None or ends_ms is None or alert.restarts or (ends_ms <= now_ms and "leak_boots" in alert.numbers):
        return None
    return ends_ms - now_ms


def _alert_rank(alert: AlertRow) -> tuple[bool, int, int]:
    known = alert.severity in _SEVERITIES
    return bool(alert.acknowledged_ms), _SEVERITIES.index(alert.severity) if known else len(_SEVERITIES), alert.since_ms


def _device_rank(device: DeviceRow, worst: Mapping[str, AlertRow]) -> tuple[int, float, int, str]:
    ends_ms = memory_ends_ms(worst.get(device.device))
    tenths = int((fullness(device) or 0.0) * 10)
    return STATES.index(device.state), float("inf") if ends_ms is None else ends_ms, -tenths, device.device


def _ordered(devices: list[DeviceRow], order: str) -> list[DeviceRow]:
    by, backwards = order.removeprefix("-"), order.startswith("-")
    if by == "worst":
        return devices[::-1] if backwards else devices
    return sorted(devices, key=_KEYS[by], reverse=backwards)


_KEYS: Mapping[str, Callable[[DeviceRow], Any]] = {
    "device": lambda device: device.device,
    "platform": lambda device: (device.platform, device.board or ""),
    "firmware": lambda device: device.firmware or "",
    "fullest": lambda device: -(fullness(device) or 0.0),
    "heard": lambda device: -device.last_seen_ms,
}


def _matches(device: DeviceRow, words: Sequence[str]) -> bool:
    columns = (device.device, device.platform, device.board, device.firmware, device.agent, device.state, device.note)
    labels = (f"{name}={said}" for name, said in (device.texts or {}).items())
    text = "\n".join([*(column or "" for column in columns), *labels]).lower()
    return all(word in text for word in words)


class FleetView:
    """The newest look at the fleet, shared by everybody who watches, so that ten open pages cost as much as one."""

    def __init__(
        self, series: ReadOnlyFile, silent_after_ms: int = SILENT_AFTER_MS, now_ms: Callable[[], int] = wall_ms
    ) -> None:
        self._series = series
        self._silent_after_ms = silent_after_ms
        self._now_ms = now_ms
        self._lock = asyncio.Lock()
        self._fleet = Fleet()
        self._stale_at_ms = 0

    async def look(self, *, fresh: bool = False) -> Fleet:
        """The fleet, about a second old at most; `fresh` looks now. EnvironmentFault while there are no series."""
        async with self._lock:
            started_ms = monotonic_ms()
            if fresh or started_ms >= self._stale_at_ms:
                devices = await self._series.ask(reader.devices, self._now_ms(), self._silent_after_ms)
                alerts = await self._series.ask(reader.alerts, active_only=True, limit=_MOST_ALERTS)
                self._fleet = build_fleet(devices, alerts)
                finished_ms = monotonic_ms()
                self._stale_at_ms = finished_ms + max(_LEAST_AGE_MS, _SHARE * (finished_ms - started_ms))
            return self._fleet

    async def device(self, name: str) -> DeviceRow | None:
        """One device as it is now, None when it was never seen."""
        return await self._series.ask(reader.device, name, self._now_ms(), self._silent_after_ms)
