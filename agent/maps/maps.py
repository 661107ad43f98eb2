"""All maps of a source: which rules a topic has, and what they make of a message. No I/O; time is an argument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from agent.maps.homeassistant import HomeAssistant
from agent.maps.mapfile import MapFile, Poll
from agent.maps.patterns import without_covered
from agent.maps.report import Report
from agent.maps.rule import Rule
from telemetry.errors import ConfigError

Match = tuple[Rule, Mapping[str, str]]


class Map(NamedTuple):
    """One system's map, ready to be used."""

    file: MapFile
    rules: list[Rule]


TOPICS_MOST = 50_000
"""Topics whose rules are remembered; past that all are forgotten and looked up anew."""

_decode = msgspec.json.Decoder().decode


class Maps:
    """Turns messages into reports. Of several rules that know a topic, a user's own come first, then the one whose
    pattern says more of it (ESPresense's `espresense/rooms/{device}/status` before ESPHome's `{device*}/status`), and
    the first that finds something in it wins.

    `counts`: messages understood, retained (told identity at most), malformed, doubted (in another unit than their map
    says, nobody knows in which), nameless (a topic of many devices, and neither it nor the payload says which) and not
    understood. `nameless_on`: the first topic of a nameless message.
    """

    def __init__(self, maps: Sequence[Map], learner: HomeAssistant | None = None) -> None:
        self._rules = [rule for one in maps for rule in one.rules]
        self.polls: Mapping[str, list[Poll]] = {one.file.system: one.file.poll for one in maps if one.file.poll}
        self._learner = learner
        self._known: dict[str, list[Match]] = {}
        self.counts: Counter[str] = Counter()
        self.nameless_on = ""

    @property
    def subscriptions(self) -> list[str]:
        """The MQTT filters that bring what these maps can read, those of learned topics too."""
        learned = [*self._learner.filters, *self._learner.topics] if self._learner else []
        return without_covered([one for rule in self._rules for one in rule.filters] + learned)

    @property
    def learned(self) -> int:
        """How many topics have been learned by discovery."""
        return len(self._learner.topics) if self._learner else 0

    def matches(self, topic: str) -> list[Match]:
        """The rules that know a topic, with the named parts of it."""
        known = self._known.get(topic)
        if known is None:
            if len(self._known) >= TOPICS_MOST:
                self._known.clear()
            known = self._known[topic] = self._looked_up(topic)
        return known

    def _looked_up(self, topic: str) -> list[Match]:
        found = []
        for rule in self._rules:
            hits = [hit for pattern in rule.patterns if (hit := pattern.fullmatch(topic))]
            if hits:
                found.append((rule, min((hit.groupdict() for hit in hits), key=_left_open)))
        return sorted(found, key=_by_place)

    def apply(self, topic: str, payload: bytes, retained: bool, now_ms: int) -> list[Report]:
        """What a message says. A retained one was true at some time: of it only identity counts."""
        matches = self.matches(topic)
        value = self._value(payload)
        if self._learner is not None:
            if self._learner.announces(topic):
                return self._learn(value, now_ms)
            matches = self._learner.restated.get(topic, matches)
            if topic in self._learner.topics:
                matches = [*matches, *self._learner.topics[topic]]
        reports = []
        for rule, captures in matches:
            report = rule.read(value, captures, now_ms)
            if report is not None:
                reports.append(report)
                if not rule.learned:
                    break
        named = [report for report in reports if report.alias or report.mac or not topic]
        if reports and not named:
            self.counts["nameless"] += 1
            self.nameless_on = self.nameless_on or topic
            return []
        reports = named
        if not reports:
            doubted = any(rule.doubts(value) for rule, _ in matches) or (not matches and bool(self.matches(topic)))
            self.counts["doubted" if doubted else "not_understood"] += 1
            return []
        if retained:
            self.counts["retained"] += 1
            return [known for report in reports if (known := report.identity())]
        self.counts["understood"] += 1
        return reports

    def _value(self, payload: bytes) -> Any:
        """Objects and lists as such; everything else as the text that it is."""
        if payload[:1] in (b"{", b"["):
            try:
                return _decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.counts["malformed"] += 1
        return payload.decode(errors="replace").strip()

    def _learn(self, value: Any, now_ms: int) -> list[Report]:
        reports = self._learner.learn(value, now_ms, self.matches) if self._learner else []
        self.counts["announcements"] += 1
        return reports


def _by_place(match: Match) -> tuple[bool, int]:
    rule, captures = match
    return rule.shipped, _left_open(captures) if rule.shipped else 0


def _left_open(captures: Mapping[str, str]) -> int:
    """How much of a topic a pattern leaves open."""
    return sum(map(len, captures.values()))


def ready(file: MapFile, source: str) -> Map:
    """A map made ready. ConfigError lists every fault, with its place in the file."""
    rules, faults = [], []
    for index, topic in enumerate(file.topics):
        try:
            rules.append(Rule(file, topic))
        except ValueError as error:
            faults.append(f"topics[{index}]: {error}")
    if faults:
        raise ConfigError(source, faults)
    return Map(file, rules)
