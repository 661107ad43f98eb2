"""Chance: a small stream of random numbers, the same on every machine and in every version of Python.

SplitMix64 (Steele, Lea, Flood 2014): one 64-bit word of state, where Python's own generator holds 2.5 KB a device.
"""

from __future__ import annotations

import zlib

from emulators.native import core

_GOLDEN = 0x9E3779B97F4A7C15


class Chance(core.Chance):
    """A stream of random numbers that begins at `seed`, any whole number."""

    __slots__ = ()

    def child(self, name: str) -> Chance:
        """Another stream, of that name: it does not depend on how far this one has come."""
        return Chance(self.seed ^ zlib.crc32(name.encode()) * _GOLDEN)
