"""ESPHome with `mqtt:` and `debug:`: one number a topic, bytes, retained; discovery for itself and Home Assistant."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.publishers.voice import Publication, Voice, packed, plain

SENSORS = {"heap_free": ("Heap Free", "free"), "heap_max_block": ("Heap Max Block", "largest_free"),
           "heap_min_free": ("Heap Min Free", "min_free")}  # fmt: skip
_REASONS = {"power_on": "Power On Reset", "panic": "Software Reset CPU (panic)"}


class Esphome(Voice):
    """A node whose topic prefix is its name."""

    def _hello(self) -> Iterator[Publication]:
        texts = self.state.texts
        board, version = texts.get("board", "esp32dev"), texts.get("firmware", "2025.10.0")
        yield plain(f"{self.name}/status", "online", retain=True)
        told = {
            "ip": "192.0.2.2", "name": self.name, "port": 6053, "version": version, "mac": self.mac,
            "platform": "ESP32", "board": board, "network": "wifi",
        }  # fmt: skip
        yield packed(f"esphome/discover/{self.name}", told, retain=True, qos=1)
        device = {
            "ids": self.mac, "name": self.name, "sw": version, "mdl": board, "mf": "Espressif",
            "cns": [["mac", self.mac]],
        }  # fmt: skip
        for sensor, (title, _) in SENSORS.items():
            config = {
                "unit_of_meas": "B", "stat_cla": "measurement", "name": title, "dev": device,
                "stat_t": f"{self.name}/sensor/{sensor}/state", "uniq_id": f"{self.name}_{sensor}",
            }  # fmt: skip
            yield packed(f"homeassistant/sensor/{self.name}/{sensor}/config", config, retain=True, qos=1)

    def _booted(self) -> Iterator[Publication]:
        reason = _REASONS.get(self.state.reset, "Software Reset CPU")
        yield plain(f"{self.name}/sensor/reset_reason/state", reason, retain=True)

    def _measured(self) -> Iterator[Publication]:
        for sensor, (_, field) in SENSORS.items():
            if field in self.state.heap:
                yield plain(f"{self.name}/sensor/{sensor}/state", self.state.heap[field], retain=True)
        yield plain(f"{self.name}/sensor/uptime/state", self.state.uptime_ms // 1000, retain=True)
