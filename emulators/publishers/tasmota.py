"""Tasmota on an ESP32: STATE with the heap in whole KiB, INFO1 to INFO3 once a boot, discovery and LWT retained."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from emulators.publishers.voice import Publication, Voice, packed, plain

_REASONS = {"power_on": "Vbat power on reset"}
_OTHERS = "Software reset CPU"


class Tasmota(Voice):
    """A device with the default topics, its name as the topic."""

    def _hello(self) -> Iterator[Publication]:
        yield plain(f"tele/{self.name}/LWT", "Online", retain=True)
        announced = {
            "ip": "192.0.2.1", "dn": self.name, "fn": [self.name], "hn": self.name, "mac": self.mac.upper(),
            "md": self._board(), "ty": 0, "ofln": "Offline", "onln": "Online", "sw": self._version(), "t": self.name,
            "ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"], "ver": 1,
        }  # fmt: skip
        yield packed(f"tasmota/discovery/{self.mac.upper()}/config", announced, retain=True)

    def _booted(self) -> Iterator[Publication]:
        version = f"{self._version()}(tasmota32)"
        yield packed(f"tele/{self.name}/INFO1", {"Info1": {"Module": self._board(), "Version": version}})
        yield packed(f"tele/{self.name}/INFO2", {"Info2": {"WebServerMode": "Admin", "Hostname": self.name}})
        reason = _REASONS.get(self.state.reset, _OTHERS)
        yield packed(f"tele/{self.name}/INFO3", {"Info3": {"RestartReason": reason, "BootCount": self.state.boot}})

    def _measured(self) -> Iterator[Publication]:
        seconds = self.state.uptime_ms // 1000
        days, rest = divmod(seconds, 86_400)
        clock = f"{days}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
        now = datetime.fromtimestamp(self.state.time_ms / 1000, UTC)
        told = {
            "Time": now.strftime("%Y-%m-%dT%H:%M:%S"), "Uptime": clock, "UptimeSec": seconds,
            "Heap": int(self.state.heap["free"]) // 1024, "SleepMode": "Dynamic", "Sleep": 50, "LoadAvg": 19,
            "MqttCount": self.connections, "Wifi": {"AP": 1, "RSSI": 70, "Signal": -65, "LinkCount": 1},
        }  # fmt: skip
        yield packed(f"tele/{self.name}/STATE", told)

    def _board(self) -> str:
        return self.state.texts.get("board", "ESP32")

    def _version(self) -> str:
        return self.state.texts.get("firmware", "15.1.0")
