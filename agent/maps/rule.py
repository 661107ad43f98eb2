"""One `[[topics]]` of a map, made ready: a payload and the named parts of its topic in, a report out. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agent.maps.identity import mac_of, platform_of
from agent.maps.mapfile import MapFile, Topic
from agent.maps.numbers import Thing, number_of
from agent.maps.paths import Captures, Template, find, first_of, is_constant, keys_of
from agent.maps.patterns import compiled, filters
from agent.maps.report import Measure, Report
from agent.maps.units import CLOCK, SPANS_MS, number, scaled, span_ms, span_step_ms
from telemetry.resets import reset_class

_BROKEN = 20
"""Averages of bytes are broken numbers, too, but not such small ones."""
_LABELS = ("platform", "board", "firmware", "os")


class Rule:
    """What messages on some topics say. ValueError when the map is wrong, with the reason."""

    def __init__(self, file: MapFile, topic: Topic) -> None:
        self.file = file
        self.system = file.system
        self.family = file.family or file.system
        self.topic = topic
        self.learned = False
        self.shipped = False
        patterns = [topic.match] if isinstance(topic.match, str) else topic.match
        self.patterns = [compiled(pattern) for pattern in patterns]
        self.filters = [one for pattern in patterns for one in filters(pattern)]
        self._needs = [keys_of(path) for path in topic.needs]
        self._unless = [(keys_of(path), value) for path, value in topic.unless.items()]
        self._text = _expression(topic.text)
        self._alias = first_of(topic.device)
        self._mac = first_of(topic.mac) if topic.mac else None
        self._reason = first_of(topic.reset_reason) if topic.reset_reason else None
        uptimes = [topic.uptime] if isinstance(topic.uptime, str) else topic.uptime
        self._uptimes = [number_of(text, (*SPANS_MS, CLOCK), "s") for text in uptimes if text]
        self._step_ms = max((span_step_ms(one.unit) for one in self._uptimes), default=1000)
        self._boots = keys_of(topic.boots) if topic.boots else None
        self._things = _things(topic)
        self._fixed, self._labels = _labels(file, topic)
        self._period_ms = file.period_s * 1000
        self._quick = not (self._labels or self._mac or self._reason or self._boots or self._says_life)

    @property
    def _says_life(self) -> bool:
        topic = self.topic
        return topic.booted or bool(topic.online or topic.offline)

    @property
    def has_memory(self) -> bool:
        """Whether there are sizes in these messages."""
        return bool(self._things)

    def in_unit(self, unit: str) -> Rule:
        """The same rule for payloads that the device announces in another unit than this map's."""
        heaps = {
            name: {field: text if " " in text else f"{text} {unit}" for field, text in fields.items()}
            for name, fields in self.topic.heap.items()
        }
        rule = Rule(self.file, msgspec.structs.replace(self.topic, heap=heaps, least=0))
        rule.shipped = self.shipped
        return rule

    def doubts(self, payload: Any) -> bool:
        """Whether a payload cannot be in the unit of this map."""
        least = self.topic.least
        if not least or type(payload) is not str or (len(payload) > len(str(least)) and "." not in payload):
            return False
        told = number(payload)
        return told is not None and 0 < told < least * (1 if isinstance(told, int) else _BROKEN)

    def alias(self, captures: Captures) -> str:
        """The alias of the device that publishes on a topic, as far as the topic alone tells."""
        return self._alias({}, captures)

    def read(self, payload: Any, captures: Captures, now_ms: int) -> Report | None:
        """What a payload says; None when it is another kind of message."""
        if self._text is not None:
            found = self._text.search(payload) if isinstance(payload, str) else None
            if found is None:
                return None
            payload = {name: value for name, value in found.groupdict().items() if value is not None}
        if not self._fits(payload) or (self.topic.least and self.doubts(payload)):
            return None
        measures: list[Measure] = []
        for thing in self._things:
            thing.measure(payload, captures, measures)
        uptime = None
        for one in self._uptimes:
            uptime = span_ms(find(payload, one.keys), one.unit)
            if uptime is not None:
                break
        if self._quick:
            if not measures and uptime is None:
                return None
            return Report(
                system=self.system, family=self.family, alias=self._alias(payload, captures), time_ms=now_ms,
                texts=self._fixed, uptime_ms=uptime, uptime_step_ms=self._step_ms, wraps=self.topic.uptime_wraps,
                measures=tuple(measures), partial=self.topic.partial, poll=self.topic.poll,
                period_ms=self._period_ms,
            )  # fmt: skip
        return self._full(payload, captures, now_ms, measures, uptime)

    def _full(
        self, payload: Any, captures: Captures, now_ms: int, measures: list[Measure], uptime: int | None
    ) -> Report | None:
        topic = self.topic
        found = {name: fill(payload, captures) for name, fill in self._labels}
        if found.get("platform"):
            found["platform"] = platform_of(found["platform"])
        texts = {**self._fixed, **{name: text for name, text in found.items() if text}}
        mac = mac_of(self._mac(payload, captures)) if self._mac else ""
        reason = self._reason(payload, captures) if self._reason else ""
        boots = scaled(find(payload, self._boots), 1) if self._boots is not None else None
        online = {topic.online: True, topic.offline: False}.get(payload) if isinstance(payload, str) else None
        says = measures or mac or reason or any(found.values()) or topic.booted
        if not says and uptime is None and boots is None and online is None:
            return None
        return Report(
            system=self.system, family=self.family, alias=self._alias(payload, captures), time_ms=now_ms, mac=mac,
            texts=texts, uptime_ms=uptime, uptime_step_ms=self._step_ms, wraps=topic.uptime_wraps, boots=boots,
            booted=topic.booted, reset_reason=reason, reset_class=reset_class(reason), online=online,
            measures=tuple(measures), partial=topic.partial, poll=topic.poll, period_ms=self._period_ms,
        )  # fmt: skip

    def _fits(self, payload: Any) -> bool:
        for keys in self._needs:
            if find(payload, keys) is None:
                return False
        return not self._unless or not all(find(payload, keys) == value for keys, value in self._unless)


def _expression(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text, re.MULTILINE) if text else None
    except re.error as error:
        raise ValueError(f"text: {text!r} is no regular expression: {error}") from None


def _things(topic: Topic) -> list[Thing]:
    things = [Thing("process", "", topic.process)] if topic.process else []
    for kind in ("heap", "stack", "pool"):
        things += [Thing(kind, name, fields) for name, fields in getattr(topic, kind).items()]
    return things


def _labels(file: MapFile, topic: Topic) -> tuple[dict[str, str], list[tuple[str, Template]]]:
    """Labels that are the same in every message, and those that are read out of each."""
    fixed, read = {}, []
    for name in _LABELS:
        text = getattr(topic, name) or (file.os if name == "os" else "")
        if text and is_constant(text):
            fixed[name] = platform_of(text) if name == "platform" else text
        elif text:
            read.append((name, first_of(text)))
    return fixed, read + [(name, first_of(text)) for name, text in topic.labels.items()]
