"""Boards on pseudo-terminals, and a memory for boot counts: what tests of the bridge are made of."""

from __future__ import annotations

import contextlib
import os
import pty
import tty
from pathlib import Path


class Board:
    """A pseudo-terminal under a name that stays while the terminal behind it changes, as /dev/serial/by-id does."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.plug_in()

    def plug_in(self) -> None:
        """The port appears."""
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """The port vanishes."""
        os.close(self._slave)
        os.close(self.master)
        self.link.unlink()

    def print(self, data: bytes) -> None:
        """What the board prints; waits while nobody reads and the terminal is full."""
        while data:
            data = data[os.write(self.master, data) :]

    def typed(self) -> bytes:
        """What was typed to the board, without waiting."""
        os.set_blocking(self.master, False)
        try:
            with contextlib.suppress(BlockingIOError):
                return os.read(self.master, 4096)
            return b""
        finally:
            os.set_blocking(self.master, True)


class Remembered(dict[str, int]):
    """Boot counts and descriptions in memory."""

    def __init__(self, **boots: int) -> None:
        super().__init__(boots)
        self.texts: dict[str, str] = {}

    def boot_of(self, device: str) -> int:
        """See `agent.bridge.Boots`."""
        return self.get(device, 0)

    def set_boot(self, device: str, boot: int) -> None:
        """See `agent.bridge.Boots`."""
        self[device] = boot

    def recall(self, prefix: str) -> dict[str, str]:
        """See `agent.bridge.Boots`."""
        return {key.removeprefix(prefix): text for key, text in self.texts.items() if key.startswith(prefix)}

    def remember(self, key: str, text: str) -> None:
        """See `agent.bridge.Boots`."""
        self.texts[key] = text
