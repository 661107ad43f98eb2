"""From what a console printed to readings of a device: adds who (device, boot) and when."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from agent.consoles import Console, Fact
from agent.consoles.patterns import Pattern
from agent.symbols import Symbols
from agent.window import Window
from telemetry.pace import Pace
from telemetry.readings import MT3620_LIMIT, SILENT_AFTER, About, Reading

SAME_BOOT_MS = 10_000
"""A boot ROM's line, a loader's and an application's banner within this span, with no reading between, are one boot."""
OWN_OPENING_MS = 2_000
"""A reset so soon after we opened the port is our own doing: opening moves DTR and RTS, which reset many boards."""
REPORT_MS = 10_000
"""Lines of memory within this span are of one report."""
LOGS_A_SECOND = 10
WINDOW_MS = 60_000

INCIDENTS = frozenset(
    (
        "panic", "abort", "assert", "stack_overflow", "corrupt_heap", "alloc_failed", "killed", "above_threshold",
        "counter_negative",
    )
)  # fmt: skip
"""Events around which the log is worth keeping with the readings."""

_IDENTITY = ("firmware", "board", "os")
_BUILD = ("project", "compile_time", "elf_sha256")
_VERSION = ("firmware", "elf_sha256")
_MAC = re.compile(
    rb"(?:wifi:mode : sta(?: \+ softAP)? \(|(?:^|\n)MAC: |\b(?:Base|BASE|WiFi|STA) MAC(?: [Aa]ddress)?:? ?)"
    rb"((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})\b"
)
"""The board's own address, as esptool, ESP-IDF's Wi-Fi and many applications print it: it tells boards apart that sit
behind adapters without a serial number."""
_MAC_WORDS = (b"MAC", b"wifi:mode")


class Boots(Protocol):
    """Where boot counts and descriptions outlive our own restarts (`agent.outbox.Outbox` is one)."""

    def boot_of(self, device: str) -> int:
        """Boots seen so far, 0 for a device not seen before."""

    def set_boot(self, device: str, boot: int) -> None:
        """Remember the count."""

    def recall(self, prefix: str) -> dict[str, str]:
        """The texts remembered under keys that begin so, by the rest of the key."""

    def remember(self, key: str, text: str) -> None:
        """Keep a text."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the user told of the firmware: patterns of its own lines, and its ELF files."""

    patterns: tuple[Pattern, ...] = ()
    symbols: Symbols | None = None


class Bridge:
    """One device's console. `feed` takes bytes as they come and gives descriptions and readings in order.

    Whole lines at a time are also remembered: when something happens, those around it come as log readings
    (`window_ms` to either side). `incident` is true after a feed in which something happened.
    """

    def __init__(
        self,
        device: str,
        boots: Boots,
        system: str | None = None,
        knowledge: Knowledge = Knowledge(),
        window_ms: int = WINDOW_MS,
    ) -> None:
        self.device = device
        self.console = Console(system, knowledge.patterns)
        self.window = Window(window_ms)
        self.incident = False
        self.muted_logs = 0
        self._symbols = knowledge.symbols
        self._boots = boots
        self._boot = boots.boot_of(device)
        self._unread_since_ms: int | None = None if self._boot else 0  # a boot began then and has no reading yet
        self._opened_ms: int | None = None
        self._texts: dict[str, str] = _recalled(boots, device)
        self._pace = Pace(int(boots.recall(f"pace:{device}").get("", "0")))
        self._reported_ms: int | None = None
        self._described: About | None = None
        self._log_second = (0, 0)

    def feed(self, data: bytes, time_ms: int) -> list[About | Reading]:
        """What these bytes say, stamped with the time at which they came."""
        moved = self._recognise_board(data, time_ms)
        if data.endswith(b"\n"):
            self.window.add(data, self.console.lines + 1, time_ms)
        items = self._readings(self.console.feed(data), time_ms)
        return moved + items + self._window(time_ms)

    def settle(self, time_ms: int) -> list[About | Reading]:
        """The port fell silent: what open records say already."""
        return self._readings(self.console.settle(), time_ms) + self._window(time_ms)

    def close(self, time_ms: int) -> list[About | Reading]:
        """What the end of the stream still says."""
        return self._readings(self.console.close(), time_ms) + self._window(time_ms)

    def opened(self, time_ms: int) -> None:
        """We have just opened the port."""
        self._opened_ms = time_ms

    def event(self, name: str, text: str, time_ms: int) -> list[About | Reading]:
        """Something happened to the port itself."""
        return [*self._described_anew(), Reading(self.device, "event", (name,), time_ms, {"text": text}, self._boot)]

    def _recognise_board(self, data: bytes, time_ms: int) -> list[About | Reading]:
        """Learn the board's address; another one than before means that another board is at this port."""
        found = _MAC.search(data) if any(word in data for word in _MAC_WORDS) else None
        if found is None:
            return []
        mac, known = found[1].decode().lower(), self._texts.get("mac", "")
        self._texts["mac"] = mac
        if known in ("", mac):
            return []
        return self.event("board_changed", f"another board is at this port: {mac} instead of {known}", time_ms)

    def _readings(self, facts: list[Fact], time_ms: int) -> list[About | Reading]:
        items: list[About | Reading] = []
        self.incident = False
        for fact in facts:
            if fact.begins_boot:
                fact = self._begin_boot_with(fact, time_ms)
            elif fact.kind not in ("device", "log", "event"):
                self._unread_since_ms = None
                self._keep_pace(time_ms)
            self._learn(fact, time_ms)
            items += self._described_anew()
            if fact.kind == "log":
                items += self._log(fact, time_ms)
                continue
            if fact.kind == "event" and fact.names[0] in INCIDENTS:
                self.incident = True
                self.window.open(time_ms)
            items.append(self._reading(fact, time_ms))
        return items

    def _keep_pace(self, time_ms: int) -> None:
        """Notice how often it reports: one that does so seldom is not silent in between."""
        if self._reported_ms is not None and 0 <= time_ms - self._reported_ms < REPORT_MS:
            return
        self._reported_ms = time_ms
        if self._pace.heard(time_ms, 0):
            self._boots.remember(f"pace:{self.device}", str(self._pace.period_ms))

    def _begin_boot_with(self, fact: Fact, time_ms: int) -> Fact:
        self._begin_boot(time_ms)
        if self._opened_ms is not None and 0 <= time_ms - self._opened_ms <= OWN_OPENING_MS:
            return replace(fact, values={**fact.values, "cause": "port opened"})
        return fact

    def _begin_boot(self, time_ms: int) -> None:
        unread = self._unread_since_ms
        if unread is not None and (unread == 0 or time_ms - unread <= SAME_BOOT_MS):
            self._unread_since_ms = unread or time_ms
        else:
            self._boot += 1
            self._boots.set_boot(self.device, self._boot)
            self._unread_since_ms = time_ms

    def _learn(self, fact: Fact, time_ms: int) -> None:
        if fact.system:
            self._texts["platform"] = fact.system
        if fact.kind != "device":
            return
        found = {name: str(fact.values[name]) for name in _IDENTITY if name in fact.values}
        found |= {name: str(fact.raw[name]) for name in _BUILD if name in fact.raw}
        changed = any(self._texts.get(name, found[name]) != found[name] for name in _VERSION if name in found)
        if changed and self._unread_since_ms is None:  # it booted while nobody listened
            self._begin_boot(time_ms)
        if changed:
            for name in (*_VERSION, *_BUILD):
                self._texts.pop(name, None)
        self._texts |= found

    def _described_anew(self) -> list[About | Reading]:
        about = self._about()
        if about == self._described:
            return []
        self._described = about
        self._boots.remember(f"about:{self.device}", json.dumps(dict(about.texts)))
        return [about]

    def _about(self) -> About:
        if self._boot == 0:
            self._boot = 1
            self._boots.set_boot(self.device, 1)
        texts = {"platform": "other", **self._texts}
        limits = {"user_mode": MT3620_LIMIT} if texts["platform"] == "mt3620" else {}
        if self._pace.silent_after_s:
            limits[SILENT_AFTER] = self._pace.silent_after_s
        return About(self.device, self._boot, texts, limits)

    def _log(self, fact: Fact, time_ms: int) -> list[About | Reading]:
        second, count = self._log_second
        told: list[About | Reading] = []
        if time_ms // 1000 != second:
            if count > LOGS_A_SECOND:
                text = f"{count - LOGS_A_SECOND} more warnings within a second are only in the log that the agent keeps"
                told.append(Reading(self.device, "log", (), time_ms, {"level": "W", "text": text}, self._boot))
            count = 0
        self._log_second = time_ms // 1000, count + 1
        if count >= LOGS_A_SECOND:
            self.muted_logs += 1
            return told
        return [*told, self._reading(fact, self.window.tell(fact.line, time_ms))]

    def _window(self, time_ms: int) -> list[About | Reading]:
        return [
            Reading(self.device, "log", (), line_ms, {"text": text}, self._boot) for line_ms, text in self.window.take()
        ]

    def _reading(self, fact: Fact, time_ms: int) -> Reading:
        values = fact.values
        if self._symbols is not None and fact.kind == "event":
            values = self._symbols.named(values, self._texts.get("elf_sha256", ""))
        return Reading(
            self.device, fact.kind, fact.names, time_ms, values, self._boot, fact.uptime_ms, fact.flags,
            fact.resolution,
        )  # fmt: skip


def _recalled(boots: Boots, device: str) -> dict[str, str]:
    text = boots.recall(f"about:{device}").get("")
    return {str(name): str(value) for name, value in json.loads(text).items()} if text else {}
