"""A two-way pseudo-terminal beside a port: `idf.py monitor` and miniterm open it while memfleet keeps the port."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import tty
from pathlib import Path

from telemetry.errors import EnvironmentFault
from telemetry.files import make_folder

CHUNK = 4096


class Relay:
    """A terminal under a name that stays. Nobody has to sit at it: what is printed meanwhile is not kept for them.

    The slave is not held open here, so that the master's hang-up tells whether somebody is there.
    """

    def __init__(self, link: Path) -> None:
        """EnvironmentFault when the name cannot be given."""
        make_folder(link.parent)
        self._link = link
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(os.ttyname(slave))
        except OSError as error:
            os.close(self._master)
            raise EnvironmentFault(f"{link}: {error.strerror}", retry=False) from None
        finally:
            os.close(slave)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)

    def take(self) -> bytes:
        """What the person at the terminal typed, without waiting."""
        with contextlib.suppress(OSError):  # nobody there, or nothing typed
            return os.read(self._master, CHUNK)
        return b""

    def give(self, data: bytes) -> None:
        """Show bytes to whoever is there; one who does not read loses them, as at a real port."""
        if any(event & select.POLLHUP for _, event in self._poll.poll(0)):
            return
        with contextlib.suppress(OSError):
            os.write(self._master, data)

    def close(self) -> None:
        """Take the terminal away."""
        self._link.unlink(missing_ok=True)
        os.close(self._master)
