"""Chance: a small stream of random numbers, the same on every machine and in every version of Python.

SplitMix64 (Steele, Lea, Flood 2014): one 64-bit word of state, where Python's own generator holds 2.5 KB a device.
"""

from __future__ import annotations

import zlib

_MASK = 2**64 - 1


class Chance:
    """A stream of random numbers that begins at `seed`, any whole number."""

    __slots__ = ("_seed", "_state")

    def __init__(self, seed: int) -> None:
        self._seed = self._state = seed & _MASK

    def word(self) -> int:
        """The next number of 64 bits."""
        self._state = state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        return state ^ state >> 31

    def below(self, bound: int) -> int:
        """A number from 0 to bound - 1."""
        return self.word() * bound >> 64

    def between(self, low: int, high: int) -> int:
        """A number from low to high, both possible."""
        return low + self.below(high - low + 1)

    def one_in(self, count: int) -> bool:
        """True once in `count` times."""
        return self.below(count) == 0

    def child(self, name: str) -> Chance:
        """Another stream, of that name: it does not depend on how far this one has come."""
        return Chance(self._seed ^ zlib.crc32(name.encode()) * 0x9E3779B97F4A7C15)
