"""The dashboards in PromQL, for VictoriaMetrics, which keeps numbers alone: texts (reasons, log lines) stand elsewhere.

A field of a kind is the metric `<prefix><kind>_<field>`; an event is `<prefix>event_count` = 1 at its time. Verdicts
and boots are written when they happen: `last_over_time` looks back 90 days for those that still hold.
"""

from __future__ import annotations

from typing import Any

from memfleet.grafana import panels
from memfleet.grafana.panels import Panel, expression
from telemetry.readings import FAILURES, MEMORY_KINDS, MT3620_LIMIT

SOURCE = "memfleet-metrics"

_CHOSEN = 'fleet=~"$fleet", device=~"$device"'
_MT3620, _FAILURE = 'platform="mt3620"', f'type=~"{"|".join(sorted(FAILURES))}"'
_FAILED = "Failed allocations, kills, panics and corrupt heaps in each step."
_THING = "device, rule, heap, task, thread, pool, firmware"


def dashboards(prefix: str = "memfleet_", source: str = SOURCE) -> list[dict[str, Any]]:
    """The four dashboards; `prefix` as the collector's store has it, `source` the uid to begin with."""
    return [_fleet(prefix, source), _device(prefix, source), _firmware(prefix, source), _itself(prefix, source)]


def _variables(prefix: str, source: str, *, one_device: bool = False) -> list[dict[str, Any]]:
    any_metric = f'{{__name__=~"{prefix}({"|".join(MEMORY_KINDS)})_.*"'
    return [
        panels.source_variable(source, panels.METRICS["type"]),
        _choice("fleet", "Fleet", f"label_values({any_metric}}}, fleet)"),
        _choice("device", "Device", f'label_values({any_metric}, fleet=~"$fleet"}}, device)', several=not one_device),
    ]


def _choice(name: str, label: str, query: str, *, several: bool = True) -> dict[str, Any]:
    asked = {"query": query, "refId": name}
    return panels.choice(name, label, asked, source=panels.METRICS, several=several)


def _metric(name: str, *more: str) -> str:
    return f"{name}{{{', '.join((_CHOSEN, *more))}}}"


def _firing(prefix: str) -> str:
    return f"(last_over_time({_metric(f'{prefix}verdict_state')}[90d]) == 1)"


def _curves(title: str, text: str, queries: dict[str, str], unit: str) -> Panel:
    """A line chart; `queries` by the legend of their lines."""
    targets = [
        expression(query, legend=legend, ref=chr(ord("A") + number))
        for number, (legend, query) in enumerate(queries.items())
    ]
    return panels.time_series(title, text, targets, unit=unit)


def _rows(title: str, text: str, queries: list[str], unit: str = "short") -> Panel:
    targets = [expression(query, now=True, ref=chr(ord("A") + number)) for number, query in enumerate(queries)]
    return panels.table(title, text, targets, units={"Value": unit})


def _fleet(prefix: str, source: str) -> dict[str, Any]:
    alive = f'count(count by (device) (last_over_time({{__name__=~"{prefix}.*_boot", {_CHOSEN}}}[10m])))'
    full = f"100 * {_metric(prefix + 'process_user_mode', _MT3620)} / {MT3620_LIMIT}"
    hours = f"last_over_time({_metric(f'{prefix}verdict_leak_hours_left')}[90d]) and {_firing(prefix)}"
    rate = f"last_over_time({_metric(f'{prefix}verdict_leak_rate')}[90d]) and {_firing(prefix)}"
    severity = f"count by (severity) (max by (device, severity) {_firing(prefix)})"
    firmware = f"count by (firmware) (last_over_time({_metric(f'{prefix}device_boot')}[90d]))"
    silent = f"max by (device) ({_firing(prefix)} and last_over_time({_metric(f'{prefix}verdict_silent_s')}[90d]))"
    heard = f'{{__name__=~"{prefix}({"|".join(MEMORY_KINDS)})_boot", {_CHOSEN}}}'
    holes = f"sort_desc(max by (device) (max_over_time(lag({heard}[1d])[$__range:1m])))"
    gateways = f"sort_desc({_metric(f'{prefix}agent_oldest_age_ms')})"
    rows = [
        (4, [
            _number("Devices alive", "Devices that said anything in ten minutes.", alive),
            _number("Devices in trouble", "Devices with a verdict that still holds, by severity.", severity),
        ]),
        (8, [
            _rows("Hours left", "When memory ends, the first one first.", [f"sort(min by ({_THING}) ({hours}))"], "h"),
            _rows("Leaks", "Bytes an hour.", [f"sort_desc(max by ({_THING}) ({rate}))"], "bytes"),
        ]),
        (8, [
            _rows("Verdicts", "What still holds.", [f"max by (severity, {_THING}) {_firing(prefix)}"]),
            _rows("Silent devices", "Devices that nobody hears.", [silent]),
        ]),
        (8, [
            _rows("Heaps with the least free memory", "Now.",
                  [f"bottomk(10, {_metric(f'{prefix}heap_free')})"], "bytes"),
            _rows("Fullest MT3620 user memory", "Of the 256 KiB at which the application is killed.",
                  [f"topk(10, {full})"], "percent"),
        ]),
        (9, [
            _curves("Heap free", "Free memory.", {"{{device}} {{heap}}": _metric(f"{prefix}heap_free")}, "bytes"),
            _curves("Largest free block", "Falling while free memory stays: fragmentation.",
                    {"{{device}} {{heap}}": _metric(f"{prefix}heap_largest_free")}, "bytes"),
        ]),
        (8, [
            _rows("Firmware", "Devices that have run each in the last 90 days.", [firmware]),
            _rows("Holes", "The longest time without a reading, within the chosen time.", [holes], "s"),
        ]),
        (8, [_rows("Gateways", "How far behind each agent is.", [gateways], "ms")]),
    ]  # fmt: skip
    incidents = _metric(f"{prefix}incident_open")
    marks = [_mark("Incidents", "red", incidents, "{{rule}} at {{device}}", "rule,device")]
    return panels.dashboard(("memfleet-fleet-metrics", "Fleet (metrics)"), rows, _variables(prefix, source), marks)


def _mark(name: str, color: str, metric: str, text: str, tags: str) -> dict[str, Any]:
    """Marks on every curve in the minutes in which the metric was written."""
    return {
        "datasource": panels.METRICS, "enable": True, "expr": f"last_over_time({metric}[1m])", "iconColor": color,
        "name": name, "step": "60s", "tagKeys": tags, "textFormat": text, "titleFormat": name,
    }  # fmt: skip


def _number(title: str, text: str, query: str) -> Panel:
    target = expression(query, legend="{{severity}}")
    panel = panels.stat(title, text, [target], calculation="lastNotNull")
    del panel["transformations"]
    panel["options"]["textMode"] = "auto"
    return panel


def _device(prefix: str, source: str) -> dict[str, Any]:
    fields = ("total", "user_mode", "peak_user_mode")
    process = {field: _metric(f"{prefix}process_{field}") for field in fields}
    heaps = {f"{{{{heap}}}} {field}": _metric(f"{prefix}heap_{field}") for field in ("free", "largest_free")}
    scattered = f"100 - 100 * {_metric(f'{prefix}heap_largest_free')} / {_metric(f'{prefix}heap_free')}"
    tasks = {"{{task}} {{heap}}": _metric(f"{prefix}task_current")}
    events = f"sum by (type) (count_over_time({_metric(f'{prefix}event_count')}[$__interval]))"
    boots = (
        f"resets({_metric(f'{prefix}process_uptime')}[$__range]) or changes({_metric(f'{prefix}heap_boot')}[$__range])"
    )
    rows = [
        (9, [_curves("Process memory", "Azure Sphere: total, user mode and its peak.", process, "bytes")]),
        (9, [
            _curves("Heaps", "Free, and the largest block that can still be had.", heaps, "bytes"),
            _curves("Fragmentation", "Free memory outside of the largest block.", {"{{heap}}": scattered}, "percent"),
        ]),
        (9, [
            _curves("Tasks", "What each task holds.", tasks, "bytes"),
            _curves("Stacks", "Never used.", {"{{thread}}": _metric(f"{prefix}stack_min_free")}, "bytes"),
        ]),
        (9, [
            _curves("Pools", "Used.", {"{{pool}}": _metric(f"{prefix}pool_used")}, "bytes"),
            _curves("Events", "By type, in each step.", {"{{type}}": events}, "short"),
        ]),
        (6, [_rows("Boots", "Within the chosen time.", [boots])]),
    ]  # fmt: skip
    variables = _variables(prefix, source, one_device=True)
    peaks = _metric(f"{prefix}event_count", 'type="new_peak"')
    marks = [
        _mark("New peaks", "purple", peaks, "new peak at {{device}}", "device"),
        _mark("Boots", "blue", _metric(f"{prefix}device_boot"), "boot of {{device}}", "device"),
    ]
    return panels.dashboard(("memfleet-device-metrics", "Device (metrics)"), rows, variables, marks)


def _firmware(prefix: str, source: str) -> dict[str, Any]:
    devices = f"count by (firmware) (last_over_time({_metric(f'{prefix}device_boot')}[90d]))"
    verdicts = f"count by (firmware, rule) {_firing(prefix)}"
    rates = f"max by (firmware) (last_over_time({_metric(f'{prefix}verdict_leak_rate')}[90d]) and {_firing(prefix)})"
    failures = f"sum by (firmware, type) (count_over_time({_metric(f'{prefix}event_count', _FAILURE)}[$__interval]))"
    rows = [
        (8, [
            _rows("Devices", "That have run each firmware in the last 90 days.", [devices]),
            _rows("Verdicts by firmware", "What still holds.", [verdicts]),
            _rows("Fastest leak", "Of each firmware, bytes an hour.", [rates], "bytes"),
        ]),
        (9, [_curves("Failures", _FAILED, {"{{firmware}} {{type}}": failures}, "short")]),
    ]  # fmt: skip
    title = ("memfleet-firmware-metrics", "Firmware comparison (metrics)")
    return panels.dashboard(title, rows, _variables(prefix, source))


def _itself(prefix: str, source: str) -> dict[str, Any]:
    """What each collector tells its stores of itself, and what gateways tell of themselves."""

    def told(field: str, by: str = "process") -> dict[str, str]:
        return {f"{{{{collector}}}} {{{{{by}}}}}": f'{prefix}{field}{{fleet=~"$fleet"}}'}

    taken = f'rate({prefix}collector_accepted_rows{{fleet=~"$fleet", process="intake"}}[$__rate_interval])'
    agents = {
        "Outbox depth": ("Frames that wait at each agent.", "outbox_depth", "short"),
        "Oldest reading waiting": ("How far behind each agent is.", "oldest_age_ms", "ms"),
    }
    refused = "Rows in quarantine, by reason. `memfleet quarantine` shows them."
    rows = [
        (9, [
            _curves("Ingest rate", "Readings taken in, a second.", {"{{collector}}": taken}, "short"),
            _curves("Refused", refused, told("quarantine_rows", by="reason"), "short"),
        ]),
        (9, [
            _curves("Journal depth", "Frames held in the journal that each process writes.",
                    told("collector_journal_frames"), "short"),
            _curves("Lag", "Age of the oldest reading that each process has not read yet.",
                    told("collector_behind_ms"), "ms"),
        ]),
        (9, [
            _curves(title, text, {"{{device}}": _metric(f"{prefix}agent_{field}")}, unit)
            for title, (text, field, unit) in agents.items()
        ]),
        (9, [
            _curves("Waiting for stores", "Rows that each store has not taken for good yet.",
                    told("collector_pending_rows"), "short"),
            _curves("Stores held", "1 while a store waits for somebody to act.", told("collector_held"), "short"),
        ]),
    ]  # fmt: skip
    variables = _variables(prefix, source)
    return panels.dashboard(("memfleet-itself-metrics", "memfleet itself (metrics)"), rows, variables)
