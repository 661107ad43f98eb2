"""The consoles of an agent, each with all that belongs to it: mask, capture, parser, health."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import zstandard

from agent.bridge import Boots, Bridge, Knowledge
from agent.capture import CaptureWriter, Limits
from agent.capture.masking import compiled, mask
from agent.config import AgentConfig, Capture, Port
from agent.consoles.framer import LINE_CAP
from agent.haste import wished
from agent.health import Health
from agent.patternfile import load_patterns
from agent.ports import Chunk, Notice, Ports
from agent.symbols import Symbols
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.errors import ConfigError
from telemetry.messages import Command
from telemetry.readings import About, Reading

_LOG = logging.getLogger("memfleet.agent")

SETTLE_MS = 3_000
"""A port that is silent for so long has ended its record."""
TICK_MS = 500

Items = list[About | Reading]


class Station:
    """One console: bytes and notices in, descriptions and readings out; the raw log goes to disk on the way."""

    def __init__(self, port: Port, bridge: Bridge, capture: CaptureWriter | None, masks: Capture) -> None:
        self.bridge = bridge
        self._device = port.device
        self._capture = capture
        self._masks = compiled(masks.mask)
        self._health: Health | None = None
        self._port = port
        self._pending = b""
        self._unsettled_ms: int | None = None
        self._capture_trouble = ""

    def feed(self, data: bytes, time_ms: int) -> Items:
        """Bytes came from the port."""
        items: Items = self._tell(self._health.feed(data, time_ms), time_ms) if self._health else []
        head, feed, tail = data.rpartition(b"\n")
        if not feed:
            self._pending += data
            if len(self._pending) > LINE_CAP:  # noise: it is no line, but it is kept
                items += self._take(self._pending, time_ms)
                self._pending = b""
            return items
        lines, self._pending = self._pending + head + feed, tail
        return items + self._take(lines, time_ms)

    def notice(self, notice: Notice) -> Items:
        """Something happened to the port."""
        if notice.what == "opened":
            self._opened(notice.time_ms)
            return []
        text = f"{self._port.port}: {notice.what}{f' ({notice.text})' if notice.text else ''}"
        return self._end_stream(notice.time_ms) + self.bridge.event(f"port_{notice.what}", text, notice.time_ms)

    def _opened(self, time_ms: int) -> None:
        self.bridge.opened(time_ms)
        if self._port.port.startswith(("command:", "azsphere:")) or Path(self._port.port).is_file():
            return  # silent by nature
        if self._health is None:
            self._health = Health(self._port.port, self._port.baud, time_ms)
        self._health.opened(time_ms)

    def tick(self, time_ms: int, *, is_open: bool) -> Items:
        """Time passed."""
        items: Items = []
        if self._unsettled_ms is not None and time_ms - self._unsettled_ms >= SETTLE_MS:
            self._unsettled_ms = None
            items += self.bridge.settle(time_ms)
        if self._health and is_open:
            items += self._tell(self._health.tick(time_ms), time_ms)
        self._keep(lambda capture: capture.tick(time_ms))
        return items

    def finish(self, time_ms: int) -> Items:
        """The stream has ended."""
        items = self._end_stream(time_ms)
        self._keep(lambda capture: capture.close())
        return items

    def _take(self, lines: bytes, time_ms: int) -> Items:
        lines = mask(self._masks, lines) if self._masks else lines
        self._keep(lambda capture: capture.write(lines, time_ms))
        items = self.bridge.feed(lines, time_ms)
        self._unsettled_ms = time_ms
        if self.bridge.incident:
            self._keep(lambda capture: capture.hurry(time_ms))
        return items

    def _end_stream(self, time_ms: int) -> Items:
        """What stands on an unfinished line, or in an open record, will not be finished: what the port gives when it is
        back begins anew, maybe in the middle of a line."""
        rest, self._pending = self._pending, b""
        return (self._take(rest, time_ms) if rest else []) + self.bridge.close(time_ms)

    def _tell(self, events: list[tuple[str, str]], time_ms: int) -> Items:
        items: Items = []
        for name, text in events:
            _LOG.warning("%s", text)
            items += self.bridge.event(name, text, time_ms)
        return items

    def _keep(self, act: Callable[[CaptureWriter], None]) -> None:
        """Do something with the capture; a full disk is said once and costs the log, never the readings."""
        if self._capture is None:
            return
        trouble = ""
        try:
            act(self._capture)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            trouble = f"the log of {self._device} cannot be kept: {where}{error.strerror or error}"
        if trouble and trouble != self._capture_trouble:
            _LOG.error("%s", trouble)
            self._capture_trouble = trouble


class Stations:
    """All consoles of a configuration. `step` gives what they said since the last call; one thread."""

    def __init__(self, config: AgentConfig, directory: Path, boots: Boots, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        knowledge = _knowledge(config)
        pack = zstandard.ZstdCompressor(level=3, write_checksum=True).compress
        kept = config.capture
        limits = Limits(kept.max_mb * 2**20, kept.max_days * 86_400_000, kept.write_s * 1000)
        check_masks(kept)
        self._memory = boots
        self.ports = Ports(config.ports, now_ms, directory, boots.recall("read/"))
        self._stations: dict[str, Station] = {}
        for port in config.ports:
            system = None if port.system == "auto" else port.system
            bridge = Bridge(port.device, boots, system, knowledge, kept.window_s * 1000)
            capture = CaptureWriter(directory / "capture" / port.device, limits, pack) if kept.enabled else None
            self._stations[port.port] = Station(port, bridge, capture, kept)
        self._next_tick = 0
        self._command: Command | None = None
        self.ports.start()

    @property
    def bridges(self) -> dict[str, Bridge]:
        """The bridge of each port."""
        return {name: station.bridge for name, station in self._stations.items()}

    def told(self) -> dict[str, int]:
        """What the agent has to say of its consoles: how many can be read, and what was not believed of them."""
        told = Counter({"ports": len(self._stations) - len(self.ports.trouble)})
        for bridge in self.bridges.values():
            told.update(bridge.console.refused)
        return dict(told)

    def step(self) -> Items:
        """What came."""
        items: Items = []
        for told in self.ports.get():
            station = self._stations[told.port]
            if isinstance(told, Chunk) and told.place:
                self._memory.remember(f"read/{told.port}", told.place)
            items += station.feed(told.data, told.time_ms) if isinstance(told, Chunk) else station.notice(told)
        if monotonic_ms() >= self._next_tick:
            self._next_tick = monotonic_ms() + TICK_MS
            opened = self.ports.opened
            for name, station in self._stations.items():
                items += station.tick(self._now_ms(), is_open=name in opened)
        return items

    def obey(self, command: Command | None) -> None:
        """The collector's wish: the lines of some devices until a time, and to ask them more often."""
        if command is None or command == self._command:
            return
        self._command = command
        self.ports.hurry(wished(command, wall_ms(), monotonic_ms()))
        now = self._now_ms()
        for bridge in self.bridges.values():
            if bridge.device in command.log_devices and command.until_ms > now:
                bridge.window.open_until(command.until_ms, now)

    def finish(self) -> Items:
        """The inputs have ended: what their last lines still say."""
        return [item for station in self._stations.values() for item in station.finish(self._now_ms())]

    def close(self) -> Items:
        """Stop reading; what came until then."""
        self.ports.close()
        return self.step() + self.finish()


def check_masks(capture: Capture) -> None:
    """ConfigError when a mask is no regular expression."""
    try:
        compiled(capture.mask)
    except ValueError as error:
        raise ConfigError("settings", [f"capture.mask: {error}"]) from None


def _knowledge(config: AgentConfig) -> Knowledge:
    patterns = load_patterns(Path(config.patterns_file)) if config.patterns_file else ()
    return Knowledge(patterns, Symbols(Path(config.elf_dir)) if config.elf_dir else None)
