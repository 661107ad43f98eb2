"""One port's parser: bytes in, facts out."""

from __future__ import annotations

from agent.consoles.fact import Fact


class Console:
    """One port's parser: takes the stream in any split, gives facts. Recognises the system by itself, or is told.

    `lines` and `understood` count the lines read and those that gave or completed a fact; `system` is what was
    recognised (or told), None until then.
    """

    def __init__(self, system: str | None = None) -> None:
        self.system = system
        self.lines = 0
        self.understood = 0

    def feed(self, data: bytes) -> list[Fact]:
        """Take the next bytes of the stream; the same stream gives the same facts however it is split."""
        raise NotImplementedError

    def close(self) -> list[Fact]:
        """End the stream: what open records and a torn last line may still say."""
        raise NotImplementedError
