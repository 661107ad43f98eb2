"""Emulated devices that publish as known systems do: the same heaps, told in another's words.

reading -> a voice (tasmota, shelly, esphome) -> publications -> any broker
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from emulators.publishers.esphome import Esphome
from emulators.publishers.shelly import Shelly
from emulators.publishers.tasmota import Tasmota
from emulators.publishers.voice import Publication, Voice

VOICES: Mapping[str, Callable[[str], Voice]] = {"tasmota": Tasmota, "shelly": Shelly, "esphome": Esphome}
"""How to make a device of each system, by its name."""

__all__ = ["VOICES", "Publication", "Voice"]
