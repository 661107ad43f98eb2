"""What every input of console bytes can do."""

from __future__ import annotations

from typing import Protocol


class Input(Protocol):
    """An open console.

    `polled` inputs have no descriptor that could be waited for and are asked every now and then; `ended` ones will
    never give anything again; `trouble` is a sentence on what keeps an open input from giving, empty when nothing does;
    `place` says how far it was read, for the next start to go on there, empty where there is no going back.
    """

    polled: bool
    ended: bool
    trouble: str

    @property
    def place(self) -> str:
        """How far it was read."""

    def fileno(self) -> int:
        """The descriptor to wait for."""

    def read(self) -> bytes:
        """What is there, without waiting; empty when nothing is. OSError: the input has gone."""

    def write(self, data: bytes) -> None:
        """Send to the device what it takes at once. OSError: it has gone, or cannot be written to."""

    def close(self) -> None:
        """Let go."""


class PlainInput:
    """What most inputs have in common: they can be waited for, never end, and have nothing to say."""

    polled = False
    ended = False
    trouble = ""

    @property
    def place(self) -> str:
        """Most cannot be gone back to."""
        return ""

    def write(self, data: bytes) -> None:
        """Most cannot be written to."""
        raise OSError(f"cannot be written to; {len(data)} bytes are dropped")
