"""Consoles: pure parsers of what Azure Sphere, ESP-IDF, FreeRTOS and Zephyr print about memory. No I/O, no clock."""

from agent.consoles.console import Console
from agent.consoles.fact import Fact

__all__ = ["Console", "Fact"]
