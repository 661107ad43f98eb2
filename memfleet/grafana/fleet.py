"""The *Fleet* dashboard: who is alive, who is worst off, what fires, and the curves behind it."""

# ruff: noqa: S608 - these are texts for Grafana; nothing of a user's goes into them but the configured prefix
from __future__ import annotations

from typing import Any

from memfleet.grafana import panels
from memfleet.grafana.panels import Panel, target
from telemetry.readings import KINDS, MEMORY_KINDS, MT3620_LIMIT

UID = "memfleet-fleet"
LABEL = "memfleet"
"""The tag by which memfleet knows its own dashboards."""

_CHOSEN = '"fleet" =~ /^$fleet$/ AND "device" =~ /^$device$/ AND $timeFilter'


def dashboard(prefix: str = "memfleet_", source: str = "memfleet") -> dict[str, Any]:
    """The dashboard as Grafana stores it; `prefix` as the collector's store has it, `source` the uid to begin with."""
    return {
        "annotations": {"list": [_alerts_as_annotations(prefix)]},
        "editable": True,
        "graphTooltip": 1,
        "panels": panels.laid_out(_rows(prefix)),
        "refresh": "30s",
        "schemaVersion": panels.SCHEMA_VERSION,
        "tags": [LABEL],
        "templating": {
            "list": [
                panels.source_variable(source),
                panels.tag_variable("fleet", "Fleet", 'SHOW TAG VALUES WITH KEY = "fleet"'),
                panels.tag_variable(
                    "device", "Device", 'SHOW TAG VALUES WITH KEY = "device" WHERE "fleet" =~ /^$fleet$/'
                ),
            ]
        },
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "title": "Fleet",
        "uid": UID,
    }


def _rows(prefix: str) -> list[tuple[int, list[Panel]]]:
    return [
        (4, [_alive(prefix), _firing(prefix), _lowest_number(prefix), _fullest_number(prefix)]),
        (8, [_lowest(prefix), _fullest(prefix)]),
        (8, [_alerts(prefix)]),
        (9, [_free(prefix), _largest(prefix)]),
        (9, [_process(prefix), _stacks(prefix)]),
        (8, [_events(prefix)]),
    ]


def _alive(prefix: str) -> Panel:
    kinds = "|".join((*MEMORY_KINDS, "device"))
    query = f'SELECT last("boot") AS "boot" FROM /^{prefix}({kinds})$/ WHERE {_CHOSEN} GROUP BY "device"'
    text = "Devices that said anything in the chosen time."
    return panels.stat(
        "Devices alive", text, [target(query, form="table")], calculation="distinctCount", field="device"
    )


def _firing(prefix: str) -> Panel:
    query = f'SELECT sum("state") AS "alerts" FROM ({_last_states(prefix)})'
    return panels.stat("Alerts firing", "Verdicts not resolved yet.", [target(query)], calculation="lastNotNull")


def _lowest_number(prefix: str) -> Panel:
    query = f'SELECT min("free") AS "free" FROM ({_last_free(prefix)})'
    panel = panels.stat("Lowest free heap", "Of all heaps, now.", [target(query)], calculation="lastNotNull")
    panel["fieldConfig"]["defaults"]["unit"] = "bytes"
    return panel


def _fullest_number(prefix: str) -> Panel:
    query = f'SELECT max("full") AS "full" FROM ({_last_full(prefix)})'
    text = "User-mode memory of the limit of 256 KiB, at which the MT3620 kills an application."
    panel = panels.stat("Fullest MT3620", text, [target(query)], calculation="lastNotNull")
    panel["fieldConfig"]["defaults"]["unit"] = "percent"
    return panel


def _lowest(prefix: str) -> Panel:
    query = f'SELECT bottom("free", "device", "heap", 10) AS "free" FROM ({_last_free(prefix)})'
    text = "The ten heaps with the least free memory now."
    return panels.table(
        "Heaps with the least free memory", text, [target(query, form="table")], units={"free": "bytes"}
    )


def _fullest(prefix: str) -> Panel:
    query = f'SELECT top("full", "device", 10) AS "full" FROM ({_last_full(prefix)})'
    text = "The ten MT3620 devices whose user-mode memory is nearest to 256 KiB."
    return panels.table("Fullest MT3620 user memory", text, [target(query, form="table")], units={"full": "percent"})


def _alerts(prefix: str) -> Panel:
    query = (
        f'SELECT "state", "reason" FROM ({_last_states(prefix)}) WHERE "state" = 1 '
        'GROUP BY "device", "severity", "rule", "kind", "heap", "thread"'
    )
    text = "Leaks, thin stacks and other verdicts that still hold, of the last 90 days whatever the chosen time."
    return panels.table("Verdicts", text, [target(query, form="table")], units={})


def _free(prefix: str) -> Panel:
    query = f'SELECT min("free") FROM "{prefix}heap" WHERE {_CHOSEN} {_every("device", "heap")}'
    text = "Least free memory in each step."
    return panels.time_series("Heap free", text, [target(query, alias="$tag_device $tag_heap")], unit="bytes")


def _largest(prefix: str) -> Panel:
    query = f'SELECT min("largest_free") FROM "{prefix}heap" WHERE {_CHOSEN} {_every("device", "heap")}'
    text = "No allocation above this succeeds. Falling while free memory stays: fragmentation."
    return panels.time_series("Largest free block", text, [target(query, alias="$tag_device $tag_heap")], unit="bytes")


def _process(prefix: str) -> Panel:
    fields = ("total", "user_mode", "peak_user_mode")
    targets = [
        target(
            f'SELECT max("{field}") FROM "{prefix}process" WHERE {_CHOSEN} {_every("device")}',
            alias=f"$tag_device {field}",
            ref=ref,
        )
        for ref, field in zip("ABC", fields, strict=True)
    ]
    return panels.time_series("MT3620 memory", "Total, user mode and its peak.", targets, unit="bytes")


def _stacks(prefix: str) -> Panel:
    query = f'SELECT min("min_free") FROM "{prefix}stack" WHERE {_CHOSEN} {_every("device", "thread")}'
    text = "What was never used of each stack."
    return panels.time_series("Stack never used", text, [target(query, alias="$tag_device $tag_thread")], unit="bytes")


def _events(prefix: str) -> Panel:
    event = KINDS["event"]
    columns = ", ".join(f'"{name}"' for name in ("device", *event.tags, "size", "caller", "code", "reason", "text"))
    query = f'SELECT {columns} FROM "{prefix}event" WHERE {_CHOSEN} ORDER BY time DESC LIMIT 200'
    text = "Failed allocations, kills, panics, resets."
    return panels.table("Events", text, [target(query, form="table")], units={"size": "bytes"})


def _every(*tags: str) -> str:
    return f"GROUP BY time($__interval), {', '.join(map(_quoted, tags))} fill(none)"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _last_free(prefix: str) -> str:
    return f'SELECT last("free") AS "free" FROM "{prefix}heap" WHERE {_CHOSEN} GROUP BY "device", "heap"'


def _last_full(prefix: str) -> str:
    share = f'last("user_mode") * 100.0 / {MT3620_LIMIT}.0 AS "full"'
    return f'SELECT {share} FROM "{prefix}process" WHERE {_CHOSEN} AND "platform" = \'mt3620\' GROUP BY "device"'


def _last_states(prefix: str) -> str:
    """Verdicts are written when they change, so an old one may still hold: the chosen time does not bound them."""
    names = {tag for kind in MEMORY_KINDS for tag in KINDS[kind].tags}
    tags = ", ".join(f'"{tag}"' for tag in ("device", "severity", "rule", "kind", *sorted(names)))
    chosen = _CHOSEN.replace("$timeFilter", "time > now() - 90d")
    return f'SELECT last("state") AS "state", "reason" FROM "{prefix}verdict" WHERE {chosen} GROUP BY {tags}'


def _alerts_as_annotations(prefix: str) -> dict[str, Any]:
    return {
        "datasource": panels.SOURCE,
        "enable": True,
        "iconColor": "red",
        "name": "Alerts",
        "query": f'SELECT "reason", "device", "rule" FROM "{prefix}verdict" WHERE {_CHOSEN} AND "state" = 1',
        "tagsColumn": "device,rule",
        "textColumn": "reason",
    }
