"""A file that may still be written, a pipe, or standard input."""

from __future__ import annotations

import os
import stat

from agent.inputs.input import PlainInput

CHUNK = 65_536


class FollowedFile(PlainInput):
    """A regular file is read to its end and then followed, also when it is emptied or replaced; a pipe ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.polled = stat.S_ISREG(os.fstat(self._fd).st_mode)

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
            os.close(self._fd)
            self._fd = os.open(self._path, os.O_RDONLY)
        elif held.st_size < os.lseek(self._fd, 0, os.SEEK_CUR):
            os.lseek(self._fd, 0, os.SEEK_SET)

    def close(self) -> None:
        os.close(self._fd)
