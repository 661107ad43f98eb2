"""Readings and findings as lines of InfluxDB's line protocol. Pure; one line a row, or a reason why there is none.

    <prefix><kind>,device=...,fleet=...,platform=...,<own tags> <fields>,boot=1i,uptime=1000i <wall ms>

Numbers are 64-bit integers, except in `verdict`, where they are floats. `firmware` and `board` are tags of `device`,
`event` and `verdict` alone: elsewhere they would multiply the series with every release. `flags` (bits) and
`resolution` (bytes) are fields where they say something. A line break in a text is stored as the two characters \\n.
Grammar: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from collector.records import Finding, Incident
from telemetry.readings import KINDS, About, Value
from telemetry.wire import Rows

Refused = tuple[str, str]
"""What could not be written, and why."""

_DESCRIBED = ("device", "event")
_OURS = ("flags", "resolution", "count")  # fields added here; the wire keeps `readings.RESERVED` free itself
_UNSAFE_TAG = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|\\(?:[,= \\]|$)").search
_ESCAPED_TAG = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_ESCAPED_TEXT = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\\\n", "\r": "\\\\r"})


class UnsafeTagError(ValueError):
    """A name that line protocol has no way to write: it would read as something else."""


class Encoder:
    """Lines for one store. `about` gives what is known of a device; tell `forget` when that has changed.

    With `numbers_only` texts are left out, and an event or a log line is the number `count` = 1 at its time.
    """

    def __init__(self, fleet: str, prefix: str, about: Callable[[str], About], *, numbers_only: bool = False) -> None:
        self._fleet = fleet
        self._prefix = prefix
        self._about = about
        self._numbers_only = numbers_only
        self._keys: dict[str, dict[tuple[str, tuple[str, ...]], str]] = {}

    def forget(self, device: str | None = None) -> None:
        """The device (None: every device) is described anew: its series keys are made again."""
        if device is None:
            self._keys.clear()
        else:
            self._keys.pop(device, None)

    def rows(self, block: Rows) -> tuple[list[str], list[Refused]]:
        """The lines of a block, and its rows that cannot be written."""
        kind = KINDS[block.kind]
        try:
            if kind.texts or kind.open_fields:
                return [self._line(block, row) for row in block.rows], []
            key = self._key(block)
            try:
                return _integer_lines(key, block), []
            except TypeError:  # a nil among the values
                return [self._line(block, row) for row in block.rows], []
        except UnsafeTagError as error:
            what = f"{block.kind} {block.names!r} of {block.device}"
            return [], [(f"{what} at {block.t0 + row[0]}", str(error)) for row in block.rows]

    def finding(self, finding: Finding) -> str:
        """The line of a finding; UnsafeTagError when a name cannot be written.

        The thing's own tags keep findings apart that a rule makes of two things of one device at the same time.
        """
        tags = self._fault_tags(finding) | {
            "device": finding.device,
            "platform": finding.platform,
            "severity": finding.severity,
            "firmware": finding.firmware,
        }
        fields = [f"state={1.0 if finding.status == 'firing' else 0.0}"]
        for name, number in finding.numbers.items():
            if math.isfinite(number):
                safe = f"{name}_" if name in ("state", "reason", *tags) else name
                fields.append(f"{escape_tag(safe)}={float(number)!r}")
        if not self._numbers_only:
            fields.append(f"reason={quote(finding.reason)}")
        return f"{series_key(f'{self._prefix}verdict', tags)} {','.join(fields)} {finding.at_ms}"

    def incident(self, incident: Incident) -> str:
        """The line of an incident; UnsafeTagError when a name cannot be written.

        It stands at its beginning, under the device that it began on, so that what is said of it later takes the place
        of what was said before: one point an incident. Where points are numbers that stay, at the time of saying.
        """
        key = series_key(f"{self._prefix}incident", self._fault_tags(incident) | {"device": incident.first})
        firing = incident.status == "firing"
        fields = [f"open={int(firing)}i", f"devices={incident.devices}i", f"firing={incident.firing}i"]
        if self._numbers_only:
            return f"{key} {','.join(fields)} {incident.at_ms}"
        texts = ("key", "severity", "worst", "reason", "platform", "firmware")
        fields += [f"{name}={quote(getattr(incident, name))}" for name in texts]
        fields += [] if firing else [f"end_ms={incident.at_ms}i"]
        return f"{key} {','.join(fields)} {incident.since_ms}"

    def _fault_tags(self, said: Finding | Incident) -> dict[str, str]:
        tags = dict(zip(KINDS[said.kind].tags, said.names, strict=False)) if said.kind in KINDS else {}
        return tags | {"fleet": self._fleet, "kind": said.kind, "rule": said.rule}

    def _key(self, block: Rows) -> str:
        keys = self._keys.setdefault(block.device, {})
        found = keys.get((block.kind, block.names))
        if found is None:
            found = keys[block.kind, block.names] = self._made_key(block, {})
        return found

    def _made_key(self, block: Rows, own: Mapping[str, str]) -> str:
        texts = self._about(block.device).texts
        tags = dict(zip(KINDS[block.kind].tags, block.names, strict=True))
        tags |= {"fleet": self._fleet, "device": block.device, "platform": texts.get("platform", "other")}
        if block.kind in _DESCRIBED:
            tags |= {name: own.get(name) or texts.get(name, "") for name in ("firmware", "board")}
        return series_key(self._prefix + block.kind, tags)

    def _line(self, block: Rows, row: Sequence[Any]) -> str:
        values = {name: value for name, value in zip(block.fields, row[2:], strict=True) if value is not None}
        key = self._key(block)
        if block.kind == "device" and not values.keys().isdisjoint(("firmware", "board")):
            key = self._made_key(block, {name: text for name, text in values.items() if isinstance(text, str)})
        uptime = None if block.u0 is None or row[1] is None else block.u0 + row[1]
        if block.kind == "device":
            uptime = values.pop("uptime", uptime)
        fields = [f"{name}={_written(value)}" for name, value in self._named(block.kind, values)]
        fields += ["count=1i"] if self._numbers_only and block.kind in ("event", "log") else []
        fields.append(f"boot={block.boot}i{_remarks(block)}")
        fields += [] if uptime is None else [f"uptime={uptime}i"]
        return f"{key} {','.join(fields)} {block.t0 + row[0]}"

    def _named(self, kind_name: str, values: Mapping[str, Value]) -> list[tuple[str, Value]]:
        """Fields under names that have one type each and are nobody else's, whatever a device sends."""
        kind = KINDS[kind_name]
        named: list[tuple[str, Value]] = []
        for name, value in values.items():
            if isinstance(value, str):
                if self._numbers_only or (kind_name == "device" and name in ("firmware", "board")):
                    continue  # the latter are its tags
                name = name if name in kind.texts else f"{name}_text"
            elif name in kind.texts:
                name = f"{name}_number"
            named.append((f"{name}_" if kind.open_fields and name in _OURS else name, value))
        return named


def _integer_lines(key: str, block: Rows) -> list[str]:
    """The lines of a block of whole numbers without gaps: one format a row. TypeError when there is a gap."""
    fields = "".join(f"{name}=%di," for name in block.fields)
    start = f"{key.replace('%', '%%')} {fields}boot={block.boot}i{_remarks(block)}"
    t0, u0 = block.t0, block.u0
    if u0 is None:
        line = f"{start} %d"
        return [line % (*values, t0 + dt) for dt, _, *values in block.rows]
    line = f"{start},uptime=%di %d"
    return [line % (*values, u0 + du, t0 + dt) for dt, du, *values in block.rows]


def _remarks(block: Rows) -> str:
    flags = f",flags={block.flags}i" if block.flags else ""
    return flags if block.resolution == 1 else f"{flags},resolution={block.resolution}i"


def series_key(measurement: str, tags: Mapping[str, str]) -> str:
    """Measurement and tags as a line begins; tags in order, those without a value left out."""
    return escape_tag(measurement) + "".join(f",{n}={escape_tag(text)}" for n, text in sorted(tags.items()) if text)


def escape_tag(text: str) -> str:
    """A tag or a key as line protocol writes it; UnsafeTagError where it has no escape."""
    if _UNSAFE_TAG(text):
        raise UnsafeTagError(
            f"{text!r:.100} holds a control character, or a backslash where line protocol has no escape"
        )
    return text.translate(_ESCAPED_TAG)


def quote(text: str) -> str:
    """A text field, with its quotes; always on one line."""
    return f'"{text.translate(_ESCAPED_TEXT)}"'


def _written(value: Value) -> str:
    return quote(value) if isinstance(value, str) else f"{value}i"
