"""Shelly, second generation and later: tells everything once a connection, then memory only when it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from emulators.publishers.voice import Publication, Voice, packed, plain

_REASONS = {"power_on": 1, "restart": 3, "update": 3, "panic": 4, "stack_overflow": 4}
"""ESP-IDF's `esp_reset_reason_t`."""


class Shelly(Voice):
    """A device whose topic prefix is its name."""

    @property
    def id(self) -> str:
        """How it calls itself in `src`."""
        return f"shellyplus1-{self.mac}"

    @property
    def questions(self) -> tuple[str, ...]:
        """Its remote procedure calls."""
        return (f"{self.name}/rpc",)

    def _hello(self) -> Iterator[Publication]:
        yield plain(f"{self.name}/online", "true", retain=True)
        if self.state.heap:
            yield self._full_status()

    def _measured(self) -> Iterator[Publication]:
        yield self._full_status() if self._first_since_boot() else self._status()

    def asked(self, topic: str, payload: bytes) -> Iterator[Publication]:
        """Answers Sys.GetStatus and Shelly.GetDeviceInfo, as soon as it knows its heap."""
        try:
            call = json.loads(payload)
            client, number, method = call["src"], call.get("id"), call["method"]
        except (ValueError, KeyError, TypeError):
            return
        results = {"Sys.GetStatus": self._sys, "Shelly.GetDeviceInfo": self._info}
        if method in results and self.state.heap:
            answer = {"id": number, "src": self.id, "dst": client, "result": results[method]()}
            yield packed(f"{client}/rpc", answer)

    def _first_since_boot(self) -> bool:
        first, self._told_boot = self._told_boot != self.state.boot, self.state.boot
        return first

    def _after_boot(self) -> Iterator[Publication]:
        return iter(())  # what it says then holds its heap, so it waits for the first reading

    def _full_status(self) -> Publication:
        told = {"ts": self.state.time_ms / 1000, "ble": {}, "mqtt": {"connected": True}, "sys": self._sys()}
        message = {"src": self.id, "dst": f"{self.name}/events", "method": "NotifyFullStatus", "params": told}
        return packed(f"{self.name}/events/rpc", message, qos=1)

    def _status(self) -> Publication:
        """Something else has changed: nothing of memory in it."""
        told = {"ts": self.state.time_ms / 1000, "switch:0": {"id": 0, "temperature": {"tC": 41.2, "tF": 106.2}}}
        message = {"src": self.id, "dst": f"{self.name}/events", "method": "NotifyStatus", "params": told}
        return packed(f"{self.name}/events/rpc", message, qos=1)

    def _sys(self) -> dict[str, Any]:
        heap = self.state.heap
        return {
            "mac": self.mac.upper(), "restart_required": False, "unixtime": self.state.time_ms // 1000,
            "uptime": self.state.uptime_ms // 1000, "ram_size": heap["size"], "ram_free": heap["free"],
            "ram_min_free": heap["min_free"], "fs_size": 393216, "fs_free": 122880, "cfg_rev": 12, "kvs_rev": 0,
            "reset_reason": _REASONS.get(self.state.reset, 3),
        }  # fmt: skip

    def _info(self) -> dict[str, Any]:
        texts = self.state.texts
        return {
            "name": self.name, "id": self.id, "mac": self.mac.upper(), "model": texts.get("board", "SNSW-001X16EU"),
            "gen": 2, "ver": texts.get("firmware", "1.4.4"), "app": "Plus1", "auth_en": False,
        }  # fmt: skip
