"""Home Assistant's discovery: devices announce where each of their values stands, in which unit. Memory is learned.

Announcements are retained on `homeassistant/<component>/[<node>/]<object>/config`, one value each, or on
`homeassistant/device/<object>/config`, all values of a device. Their keys have short forms; both are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent.maps.identity import mac_of
from agent.maps.mapfile import MapFile, Topic
from agent.maps.paths import text_of
from agent.maps.report import Report
from agent.maps.rule import Rule

SYSTEM = "homeassistant"
FILTERS = ("homeassistant/+/+/config", "homeassistant/+/+/+/config")
TOPICS_MOST = 10_000
VALUES_MOST = 16
"""Values of one topic that are learned."""

_UNITS = {"b": "B", "byte": "B", "bytes": "B", "kib": "KiB", "kb": "KiB", "mib": "MiB"}
"""Firmware that says kB here divides by 1024. Of MB nobody knows, so it is not learned."""
_UNKNOWN = ("mb", "gb", "gib")
_SPANS = {"ms": "ms", "s": "s", "sec": "s", "min": "min", "h": "h", "d": "d"}
_SHORT = {
    "state_topic": "stat_t", "value_template": "val_tpl", "unit_of_measurement": "unit_of_meas", "unique_id": "uniq_id",
    "object_id": "obj_id", "device": "dev", "components": "cmps", "identifiers": "ids", "sw_version": "sw",
    "model": "mdl", "manufacturer": "mf", "connections": "cns",
}  # fmt: skip
_PLAIN = re.compile(r"\{\{\s*value\s*(?:\|\s*(?:int|float|round)\s*(?:\([^)]*\))?\s*)*\}\}")
_PATH = re.compile(
    r"\{\{\s*value_json(?P<path>(?:\.\w+|\[(?:'[^'.]+'|\"[^\".]+\")\])+)"
    r"\s*(?:\|\s*(?:int|float|round|default)\s*(?:\([^)]*\))?\s*)*\}\}"
)
_STEP = re.compile(r"\.(\w+)|\[['\"]([^'\"]+)['\"]\]")
_MEMORY = re.compile(
    r"heap|ps ?ram|stack|\bram\b|mem(?:ory|free)?\b|free ?mem|max ?alloc|(?:max|largest)(?: free)? block"
)
_FLASH = re.compile(r"flash|sketch|\bfs\b|disk|file|sd.?card|partition|storage")
_FIELDS = (
    ("min_free", re.compile(r"min|lowest|low[ _-]?water")),
    ("largest_free", re.compile(r"block|largest|max[ _]?alloc|max[ _]?heap")),
    ("max_used", re.compile(r"(?:max|peak)[ _]used|high[ _-]?water")),
    ("size", re.compile(r"size|total")),
    ("used", re.compile(r"used|usage")),
    ("free", re.compile(r"free|heap|avail|mem|ram")),
)

Matches = Callable[[str], list[tuple[Rule, Mapping[str, str]]]]


class HomeAssistant:
    """What discovery has taught: `topics` has the rules of each learned state topic, `restated` those of topics that a
    map knows but in another unit than is announced, none where the unit says too little."""

    filters = FILTERS

    def __init__(self) -> None:
        self.topics: dict[str, list[tuple[Rule, Mapping[str, str]]]] = {}
        self.restated: dict[str, list[tuple[Rule, Mapping[str, str]]]] = {}
        self._learned: set[tuple[str, str, str]] = set()

    def announces(self, topic: str) -> bool:
        """Whether messages on that topic are announcements."""
        return topic.startswith("homeassistant/") and topic.endswith("/config")

    def learn(self, announcement: Any, now_ms: int, matches: Matches) -> list[Report]:
        """Take in an announcement: who the device is, and where its memory stands, if this is about memory.

        Where a map knows the topic already, that map stays, in the unit that is announced, and the device's identity is
        told to it.
        """
        if not isinstance(announcement, dict):
            return []
        whole = _short(announcement)
        device = _short(_table(whole.get("dev")))
        who = _who(device, now_ms)
        reports = [who] if who else []
        for entity in _entities(whole):
            topic = _expanded(entity, "stat_t")
            if not topic:
                continue
            known = [match for match in matches(topic) if match[0].has_memory]
            if known:
                self._restate(topic, text_of(entity.get("unit_of_meas")).lower(), *known[0])
            if known and who:
                rule, captures = known[0]
                reports.append(_renamed(who, rule.family, rule.alias(captures)))
            elif who and not known:
                self._learn_value(topic, entity, who)
        return reports

    def _restate(self, topic: str, unit: str, rule: Rule, captures: Mapping[str, str]) -> None:
        """A sensor that its user has rescaled: the map's unit is that of the sensor as it was."""
        self.restated.pop(topic, None)
        if not rule.topic.least or _UNITS.get(unit) == "B" or len(self.restated) >= TOPICS_MOST:
            return
        if unit in _UNITS:
            self.restated[topic] = [(rule.in_unit(_UNITS[unit]), captures)]
        elif unit in _UNKNOWN:
            self.restated[topic] = []

    def _learn_value(self, topic: str, entity: Mapping[str, Any], who: Report) -> None:
        learned = _value(entity)
        if learned is None or any(sign in topic for sign in "+#{}"):
            return
        kind, name, field, number = learned
        key = (topic, name, field)
        rules = self.topics.setdefault(topic, []) if len(self.topics) < TOPICS_MOST else self.topics.get(topic)
        if rules is None or key in self._learned or len(rules) >= VALUES_MOST:
            return
        self._learned.add(key)
        value = {"uptime": number} if kind == "uptime" else {kind: {name: {field: number}}}
        settings: dict[str, Any] = {"match": topic, "device": _plain(who.alias), "partial": True, **value}
        rule = Rule(MapFile(system=SYSTEM, topics=[]), Topic(**settings))
        rule.learned = True
        rules.append((rule, {}))


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(announcement: Mapping[str, Any]) -> dict[str, Any]:
    return {_SHORT.get(key, key): value for key, value in announcement.items()}


def _entities(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The values announced: one, or those of `components`, which may leave the topic to the whole."""
    parts = whole.get("cmps")
    if not isinstance(parts, dict):
        yield dict(whole)
        return
    shared = {key: whole[key] for key in ("stat_t", "~") if key in whole}
    for name, part in parts.items():
        if isinstance(part, dict):
            yield {"obj_id": name, **shared, **_short(part)}


def _expanded(entity: Mapping[str, Any], key: str) -> str:
    text, base = text_of(entity.get(key)), text_of(entity.get("~"))
    if base and text.startswith("~"):
        return base + text[1:]
    return text[:-1] + base if base and text.endswith("~") else text


def _who(device: Mapping[str, Any], now_ms: int) -> Report | None:
    ids = device.get("ids")
    texts = [text_of(one) for one in (ids if isinstance(ids, list) else [ids])]
    pairs = device.get("cns") if isinstance(device.get("cns"), list) else []
    macs = [text_of(pair[1]) for pair in pairs or [] if isinstance(pair, list) and len(pair) == 2 and pair[0] == "mac"]
    alias = next(filter(None, texts), "") or next(iter(macs), "")
    if not alias:
        return None
    mac = next((found for text in (*macs, *texts) if (found := mac_of(text))), "")
    labels = {"board": "mdl", "firmware": "sw", "name": "name"}
    labels_found = {label: text_of(device.get(key)) for label, key in labels.items()}
    said = {label: text for label, text in labels_found.items() if text}
    return Report(system=SYSTEM, family=SYSTEM, alias=alias, time_ms=now_ms, mac=mac, texts=said)


def _renamed(who: Report, family: str, alias: str) -> Report:
    texts = {key: value for key, value in who.texts.items() if key != "name"}
    return Report(system=SYSTEM, family=family, alias=alias, time_ms=who.time_ms, mac=who.mac, texts=texts)


def _value(entity: Mapping[str, Any]) -> tuple[str, str, str, str] | None:
    """Kind, name, field and `PATH UNIT` of a value that is memory or uptime; None for any other."""
    unit = text_of(entity.get("unit_of_meas")).lower()
    words = " ".join(text_of(entity.get(key)) for key in ("name", "obj_id", "uniq_id"))
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words).replace("_", " ").lower()
    path = _path(entity)
    if path is None:
        return None
    if unit in _SPANS and "uptime" in words:
        return "uptime", "", "", f"{path} {_SPANS[unit]}"
    if unit not in _UNITS or not _MEMORY.search(words) or _FLASH.search(words):
        return None
    number = f"{path} {_UNITS[unit]}"
    if "stack" in words:
        name = re.sub(r"\b(?:free|stack|min|left|low|mark|high|water)\b|[^a-z0-9 ]", "", words).split()
        return "stack", name[0] if name else "main", "min_free", number
    heap = "psram" if re.search(r"ps ?ram|external", words) else "heap"
    field = next((name for name, pattern in _FIELDS if pattern.search(words)), "free")
    return "heap", heap, field, number


def _path(entity: Mapping[str, Any]) -> str | None:
    """Where the value stands; None when the template does more than pick it."""
    text = text_of(entity.get("val_tpl"))
    if not text or _PLAIN.fullmatch(text):
        return "payload"
    found = _PATH.fullmatch(text)
    return ".".join(dotted or quoted for dotted, quoted in _STEP.findall(found["path"])) if found else None


def _plain(text: str) -> str:
    """Text that no template reads anything into."""
    return text.replace("{", "(").replace("}", ")")
