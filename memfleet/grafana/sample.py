"""A small fleet of all platforms, an hour of it, as the collector's own writer puts it into a store.

It has something for every panel of every dashboard, so that each query can be tried on a server. All of it is made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.records import Finding, Incident
from collector.stores.itself import sample_lines
from collector.stores.lineprotocol import Encoder
from collector.stores.report import StoreReport
from collector.web.status import ProcessStatus
from telemetry.readings import About
from telemetry.wire import Rows

HOUR_MS = 3_600_000
STEP_MS = 60_000
PLATFORMS = {"azure": "mt3620", "esp": "esp32", "zephyr": "zephyr"}


def lines(start_ms: int, fleet: str, prefix: str, *, numbers_only: bool = False) -> list[str]:
    """The lines of the fleet: two devices of each of three platforms and their gateway, with alerts of every sort.

    `numbers_only` as a VictoriaMetrics wants them.
    """
    encoder = Encoder(fleet, prefix, _about, numbers_only=numbers_only)
    written = []
    for block in blocks(start_ms):
        good, refused = encoder.rows(block)
        if refused:
            raise AssertionError(refused)
        written += good
    for minute in range(HOUR_MS // STEP_MS):
        written += sample_lines((fleet, "collector"), prefix, _processes(minute), start_ms + minute * STEP_MS)
    written += [encoder.finding(finding) for finding in findings(start_ms)]
    return written + [encoder.incident(incident) for incident in incidents(start_ms)]


def _processes(minute: int) -> list[ProcessStatus]:
    """The collector of the fleet: intake, and what reads its journal."""
    counters = {"accepted_rows": 1000 * minute, "quarantined_rows": 2, "quarantined_crc": 2}
    store = StoreReport("long", "ok", "", "", 0, 40, {"stored_rows": 900 * minute})
    return [
        ProcessStatus("intake", "readings.journal", True, 4096, 1, 5 + minute, counters=counters),
        ProcessStatus("series", "series.db", True, 4096, 1, behind_ms=1000, lag_frames={"readings": 3}),
        ProcessStatus("store:long", "store-long.db", True, 4096, 1, None, 2000, store, lag_frames={"readings": 9}),
    ]


def _about(device: str) -> About:
    platform = PLATFORMS.get(device[:-2], "other")
    return About(device, 1, {"platform": platform, "firmware": f"{device[-1]}.0", "board": "bench"})


def blocks(start_ms: int) -> Iterator[Rows]:
    """Every block of the fleet, one reading a minute."""
    minutes = range(HOUR_MS // STEP_MS)
    for number in (1, 2):
        azure = [(180_000 + number * 1000, 150_000 + number * 20_000 + minute, 250_000) for minute in minutes]
        yield _block(start_ms, f"azure-{number}", "process", (), ("total", "user_mode", "peak_user_mode"), azure)
        internal = [(200_000, 120_000 - m * 100 * number, 90_000 - m * 50, 80_000) for m in minutes]
        fields = ("size", "free", "largest_free", "min_free")
        yield _block(start_ms, f"esp-{number}", "heap", ("internal",), fields, internal)
        psram = [(4_000_000, 3_000_000, 2_900_000) for _ in minutes]
        yield _block(start_ms, f"esp-{number}", "heap", ("psram",), ("size", "free", "largest_free"), psram)
        yield _block(
            start_ms, f"zephyr-{number}", "heap", ("kernel",), ("free", "used"), [(8000 - m, 200 + m) for m in minutes]
        )
        yield _block(
            start_ms, f"zephyr-{number}", "stack", ("main",), ("size", "min_free"), [(2048, 300 - m) for m in minutes]
        )
        yield _block(
            start_ms, f"zephyr-{number}", "stack", ("idle",), ("size", "min_free"), [(512, 200) for _ in minutes]
        )
        for device in (f"azure-{number}", f"esp-{number}", f"zephyr-{number}"):
            yield _block(start_ms, device, "device", (), ("boots", "reset_reason"), [(number, "power_on")])
    yield from _of_few_devices(start_ms)
    yield _block(start_ms, "esp-1", "event", ("alloc_failed",), ("size", "caller"), [(4096, "app_main")])
    yield _block(start_ms, "esp-1", "event", ("port_lost",), ("text",), [("ttyUSB0: unplugged",)])
    yield _block(start_ms, "azure-2", "event", ("oom_kill",), ("reason",), [("above 256 KiB",)])


def _of_few_devices(start_ms: int) -> Iterator[Rows]:
    minutes = range(HOUR_MS // STEP_MS)
    tasks = [(2000 + minute * 10, 1) for minute in minutes]
    yield _block(start_ms, "esp-1", "task", ("http", "internal"), ("current", "alive"), tasks)
    yield _block(start_ms, "zephyr-1", "pool", ("net_buf",), ("size", "used", "max_used"), [(8000, 3000, 4000)] * 60)
    yield _block(start_ms, "azure-1", "event", ("new_peak",), ("size",), [(250_000,)])
    yield _block(start_ms, "azure-1", "log", (), ("level", "module", "text"), [("warning", "mqtt", "lost the broker")])
    fields = ("outbox_depth", "oldest_age_ms", "evicted", "disk_free", "ports", "clock", "version")
    yield _block(start_ms, "gateway-1", "agent", (), fields, [(m, m * 100, 0, 10**9, 3, "ok", "0.1") for m in minutes])


def _block(
    start_ms: int,
    device: str,
    kind: str,
    names: tuple[str, ...],
    fields: tuple[str, ...],
    values: list[tuple[Any, ...]],
) -> Rows:
    rows = [[index * STEP_MS, index * STEP_MS, *value] for index, value in enumerate(values)]
    return Rows(device, 1, kind, names, 0, 1, start_ms, 5000, fields, rows)


def findings(start_ms: int) -> list[Finding]:
    """A leak that fires, a device that is silent, one that restarts, and a low stack that fired and is over."""
    leak = ("leak|esp-2|heap|internal", "leak", "warning", "esp-2", "heap", ("internal",))
    silence = ("silent|zephyr-2", "silent", "warning", "zephyr-2", "device", ())
    loop = ("reboots|azure-2", "reboots", "warning", "azure-2", "device", ())
    stack = ("stack|zephyr-1|stack|main", "low_stack", "critical", "zephyr-1", "stack", ("main",))
    return [
        _finding(start_ms, loop, "firing", 45, {"resets_1h": 4.0}),
        _finding(start_ms, leak, "firing", 30, {"leak_rate": 12_000.0, "leak_hours_left": 9.5}),
        _finding(start_ms, silence, "firing", 50, {"silent_s": 400.0}),
        _finding(start_ms, stack, "firing", 20, {"min_free": 240.0}),
        _finding(start_ms, stack, "resolved", 40, {"min_free": 260.0}),
    ]


def incidents(start_ms: int) -> list[Incident]:
    """The leak goes on; the low stack is over."""
    leak = ("leak|esp32|2.0|heap|internal", "firing", "leak", "warning", "esp-2", "heap", ("internal",), 30, 30)
    stack = (
        "low_stack|zephyr|1.0|stack|main",
        "resolved",
        "low_stack",
        "critical",
        "zephyr-1",
        "stack",
        ("main",),
        20,
        40,
    )
    return [_incident(start_ms, *one) for one in (leak, stack)]


def _incident(start_ms: int, *what: Any) -> Incident:
    fault, status, rule, severity, device, kind, names, began, minute = what
    since_ms, at_ms = (start_ms + each * STEP_MS for each in (began, minute))
    reason = f"{rule} at {device}"
    told = (f"{fault}@{since_ms}", status, rule, severity, since_ms, at_ms, 1, 1, device, device, reason)
    return Incident(*told, kind=kind, names=names, platform=PLATFORMS[device[:-2]], firmware=f"{device[-1]}.0")


def _finding(start_ms: int, what: tuple[Any, ...], status: str, minute: int, numbers: dict[str, float]) -> Finding:
    key, rule, severity, device, kind, names = what
    at = start_ms + minute * STEP_MS
    platform = PLATFORMS[device[:-2]]
    reason = f"{rule} at {device}"
    return Finding(
        key,
        f"{key}@{at}",
        status,
        rule,
        severity,
        device,
        kind,
        names,
        at,
        at,
        reason,
        platform,
        f"{device[-1]}.0",
        numbers,
    )
