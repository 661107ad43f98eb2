"""What the thread that moves bytes tells the one that decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one port, with the time at which they were read; `place`: how far a file is read with them."""

    port: str
    data: bytes
    time_ms: int
    place: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A port was `opened`, was `lost` (with the reason), or was `released` to somebody."""

    port: str
    what: str
    text: str
    time_ms: int
