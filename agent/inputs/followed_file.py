"""A file that may still be written, a pipe, or standard input."""

from __future__ import annotations

import os
import stat

from agent.inputs.input import PlainInput

CHUNK = 65_536


class FollowedFile(PlainInput):
    """A regular file is read to its end and then followed, also when it is emptied or replaced; a pipe ends.

    `place` says how far it was read (`device:inode:offset`): it goes on there when it is still the same file.
    """

    def __init__(self, path: str, place: str = "") -> None:
        self._path = path
        self._fd = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.polled = stat.S_ISREG(os.fstat(self._fd).st_mode)
        if self.polled and path != "-":
            self._go_on(place)

    def _go_on(self, place: str) -> None:
        """Past what was read before; a file that is another now, or shorter, is read from its beginning."""
        now = os.fstat(self._fd)
        known, _, offset = place.rpartition(":")
        if known == f"{now.st_dev}:{now.st_ino}" and int(offset) <= now.st_size:
            os.lseek(self._fd, int(offset), os.SEEK_SET)

    @property
    def place(self) -> str:
        """How far it was read; "" of what cannot be gone back to."""
        if not self.polled or self._path == "-":
            return ""
        now = os.fstat(self._fd)
        return f"{now.st_dev}:{now.st_ino}:{os.lseek(self._fd, 0, os.SEEK_CUR)}"

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        data = os.read(self._fd, CHUNK)
        if data:
            return data
        if not self.polled:
            self.ended = True
        elif self._path != "-":
            self._follow_rotation()
        return b""

    def _follow_rotation(self) -> None:
        """Loggers empty a full file or put a new one in its place."""
        try:
            named, held = os.stat(self._path), os.fstat(self._fd)
        except FileNotFoundError:
            return  # between two files
        if (named.st_dev, named.st_ino) != (held.st_dev, held.st_ino):
            old, self._fd = self._fd, os.open(self._path, os.O_RDONLY)
            os.close(old)
        elif held.st_size < os.lseek(self._fd, 0, os.SEEK_CUR):
            os.lseek(self._fd, 0, os.SEEK_SET)

    def close(self) -> None:
        os.close(self._fd)
